//! Over ssh.

use std::time::Duration;

use super::{Wanted, remaining};
use crate::guest::{Cmd, GuestError};
use crate::virt::Vm;

pub(super) fn run(vm: &Vm, script: &str, limit: Duration) -> Result<Vec<u8>, String> {
    let output = vm.ssh().output(&Cmd::sh(script).limit(limit)).map_err(|e| e.to_string())?;
    let mut text = output.stdout_bytes().to_vec();
    text.extend_from_slice(output.stderr_bytes());
    Ok(text)
}

pub(super) fn copy(
    vm: &Vm,
    wanted: &Wanted,
    deadline: &crate::utils::Deadline,
) -> Result<(), GuestError> {
    let limit = remaining(vm, wanted, deadline)?;
    vm.ssh().copy_from_within(&wanted.guest, &wanted.local, limit).map(drop)
}
