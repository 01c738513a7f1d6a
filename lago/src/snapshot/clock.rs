//! The guests' clocks after a revert: they stood still since the snapshot was taken.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::guest::Cmd;
use crate::virt::Vm;
use crate::{Result, cmd};

/// How far a guest's clock may be from ours.
const TOLERANCE: Duration = Duration::from_secs(1);

/// How long the guest may take when it has to be asked over ssh, a new session included.
const SSH_LIMIT: Duration = Duration::from_secs(30);

/// How long `date` may take in the guest when the agent runs it.
const DATE_LIMIT: Duration = Duration::from_secs(5);

/// Sets a guest's clock to this machine's, through the agent if it answers, else over ssh.
///
/// An agent refuses to set the clock where it finds no `hwclock`, which minimal images leave out; `date` needs none.
pub(super) fn set(vm: &Vm) -> Result<()> {
    let agent = vm.agent();
    let Err(reason) = agent.set_time(SystemTime::now()) else { return Ok(()) };
    if agent.time().is_ok_and(is_now) {
        return Ok(());
    }
    tracing::debug!(vm = vm.name(), "setting the clock by `date`: {reason}");
    let ran = agent.exec("date", &["-u", "-s", &now()], DATE_LIMIT);
    if ran.is_ok_and(|output| output.code == Some(0)) {
        return Ok(());
    }
    let command: Cmd = cmd!("date", "-u", "-s", now());
    vm.run(command.limit(SSH_LIMIT)).map(drop)
}

/// The time as `date` takes it.
fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("@{}", since.as_secs())
}

fn is_now(time: SystemTime) -> bool {
    let now = SystemTime::now();
    let distance = now.duration_since(time).or_else(|_| time.duration_since(now));
    distance.is_ok_and(|distance| distance < TOLERANCE)
}
