//! The guests' clocks after a revert: they stood still since the snapshot was taken.

use std::convert::Infallible;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::guest::{Agent, Cmd};
use crate::utils::{error_chain, parallel};
use crate::virt::Vm;
use crate::{Result, cmd};

/// How far a guest's clock may be from ours.
const TOLERANCE: Duration = Duration::from_secs(1);

/// How long the guest may take when it has to be asked over ssh, a new session included.
const SSH_LIMIT: Duration = Duration::from_secs(30);

/// How long `date` may take in the guest when the agent runs it.
const DATE_LIMIT: Duration = Duration::from_secs(5);

/// Sets the clocks of guests to this machine's. One that cannot be set is no reason to fail.
pub(crate) fn set_all<'a>(vms: impl IntoIterator<Item = &'a Vm>) {
    let _span = tracing::info_span!("set clocks").entered();
    let set = parallel(vms, |vm| {
        if let Err(error) = set(vm) {
            let reason = error_chain(&error);
            tracing::warn!(vm = vm.name(), "the guest's clock could not be set: {reason}");
        }
        Ok::<_, Infallible>(())
    });
    match set {
        Ok(_) => {}
        Err(never) => match never.first {},
    }
}

/// Sets a guest's clock to this machine's, through the agent if it answers, else over ssh.
///
/// `date` is faster than the agent's own command, which also has `hwclock` write the time to the clock chip and wait for
/// the beginning of a second for that. The chip is QEMU's and never stood still.
fn set(vm: &Vm) -> Result<()> {
    let agent = vm.agent();
    let Err(reason) = set_by_date(agent) else { return Ok(()) };
    tracing::debug!(vm = vm.name(), "the agent cannot set the clock by `date`: {reason}");
    if agent.set_time(SystemTime::now()).is_ok() || agent.time().is_ok_and(is_now) {
        return Ok(());
    }
    let command: Cmd = cmd!("date", "-u", "-s", now(false));
    vm.run(command.limit(SSH_LIMIT)).map(drop)
}

/// Not every `date` knows fractions of a second.
fn set_by_date(agent: &Agent) -> Result<(), String> {
    let mut refused = String::new();
    for fractions in [true, false] {
        let ran = agent.exec("date", &["-u", "-s", &now(fractions)], DATE_LIMIT);
        let ran = ran.map_err(|error| error.to_string())?;
        if ran.code == Some(0) {
            return Ok(());
        }
        refused = String::from_utf8_lossy(&ran.stderr).into_owned();
    }
    Err(refused)
}

/// The time as `date` takes it.
fn now(fractions: bool) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    if fractions {
        return format!("@{}.{:09}", now.as_secs(), now.subsec_nanos());
    }
    format!("@{}", (now + Duration::from_millis(500)).as_secs())
}

fn is_now(time: SystemTime) -> bool {
    let now = SystemTime::now();
    let distance = now.duration_since(time).or_else(|_| time.duration_since(now));
    distance.is_ok_and(|distance| distance < TOLERANCE)
}
