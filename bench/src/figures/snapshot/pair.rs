use std::thread;
use std::time::Duration;

use anyhow::Result;
use lago::prefix::START_LIMIT;
use lago::utils::parallel;
use lago::{Prefix, cmd};

use super::NAME;
use crate::bare::{BareMachines, BareSnapshot};
use crate::lab::{GuestImage, Lab, Scratch};

/// How long a guest with systemd is busy after it answers ssh.
const SETTLE: Duration = Duration::from_secs(15);

/// How many guests there are on each side.
pub(in crate::figures) const GUESTS: usize = 2;

/// Two guests as lago runs them, and the same two under bare QEMU, both with a snapshot.
pub(in crate::figures) struct Pair {
    pub(super) bare: BareMachines,
    pub(super) bare_snapshot: BareSnapshot,
    pub(in crate::figures) prefix: Scratch,
    /// What bare QEMU boots.
    _bare_prefix: Scratch,
}

impl Pair {
    pub(super) fn boot(lab: &Lab) -> Result<Self> {
        let prefix = lab.prefix("snapshot", GuestImage::Debian, GUESTS)?;
        let bare_prefix = lab.prefix("snapshot-bare", GuestImage::Debian, GUESTS)?;
        prefix.start()?;
        let mut bare = BareMachines::power_on(&bare_prefix)?;
        bare.wait_for_ssh(START_LIMIT)?;
        thread::sleep(SETTLE);
        prefix.snapshot(NAME)?;
        let bare_snapshot = bare.save(NAME)?;
        Ok(Self { bare, bare_snapshot, prefix, _bare_prefix: bare_prefix })
    }
}

/// Waits until the agents in all guests answer.
pub(super) fn wait_for_agents(prefix: &Prefix) -> Result<()> {
    parallel(prefix.vms(), |vm| vm.agent().wait(START_LIMIT))?;
    Ok(())
}

/// Runs a command in all guests over ssh.
pub(super) fn run_true(prefix: &Prefix) -> Result<()> {
    parallel(prefix.vms(), |vm| vm.run(cmd!("true")))?;
    Ok(())
}
