//! `exec`: a command over a connection that is open.

use std::thread;
use std::time::Duration;

use anyhow::Result;
use lago::cmd;

use super::ssh_client::SshClient;
use crate::figure::{Figure, Goal, Unit};
use crate::lab::{GuestImage, Lab};
use crate::samples::{Samples, milliseconds};

const COMMANDS: u32 = 40;

/// How long a guest that answers ssh is still busy with its boot.
pub(super) const SETTLE: Duration = Duration::from_secs(3);

pub(super) fn exec(lab: &Lab, _runs: u32) -> Result<Figure> {
    let prefix = lab.prefix("exec", GuestImage::Mini, 1)?;
    prefix.start()?;
    let vm = prefix.vm("vm0")?;
    let client = SshClient::new(lab, &prefix)?;
    let master = client.master(vm)?;
    thread::sleep(SETTLE);
    let (mut ours, mut reference) = (Samples::default(), Samples::default());
    for _ in 0..COMMANDS {
        ours.push(milliseconds(|| Ok(vm.run(cmd!("true")).map(drop)?))?);
        reference.push(milliseconds(|| client.run(vm, "true"))?);
    }
    drop(master);
    prefix.destroy()?;
    Ok(Figure {
        name: "exec",
        unit: Unit::Milliseconds,
        value: ours.median(),
        reference: reference.median(),
        reference_name: "`ssh` with a control master on the same guest".to_owned(),
        goal: Some(Goal::Excess(30.0)),
        note: format!(
            "`true`, {COMMANDS} times; {}; ssh {}",
            ours.spread(Unit::Milliseconds),
            reference.spread(Unit::Milliseconds)
        ),
    })
}
