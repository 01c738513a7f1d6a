//! Finishing what a process that was killed had begun.

use super::{RevertOptions, compression, remove_files, revert, take};
use crate::Result;
use crate::dirlock::{self, Mode};
use crate::prefix::Prefix;
use crate::prefix::state::{Pending, State};
use crate::utils::{error_chain, parallel};

/// Finishes it, unless its process is still at it. A failure is no reason not to open the prefix: what can be done then
/// is done through it.
pub(crate) fn recover(prefix: &Prefix) {
    if let Err(error) = try_recover(prefix) {
        tracing::warn!(
            "{}: an interrupted change could not be finished: {}",
            prefix.paths().prefix().display(),
            error_chain(&error)
        );
    }
}

fn try_recover(prefix: &Prefix) -> Result<()> {
    let paths = prefix.paths();
    if State::read(paths)?.pending.is_none() {
        return Ok(());
    }
    let Some(_lock) = dirlock::try_lock(paths.prefix(), Mode::Exclusive)? else { return Ok(()) };
    let mut state = State::read(paths)?;
    match state.pending.take() {
        None => Ok(()),
        Some(Pending::Snapshot { name, paused }) => {
            tracing::warn!("taking snapshot `{name}` was interrupted; letting the VMs run on");
            run_on(prefix, &paused)?;
            remove_files(paths, &name)?;
            state.write(paths)
        }
        Some(pending @ Pending::Compression { .. }) => {
            state.pending = Some(pending);
            compression::finish(paths, state)
        }
        Some(Pending::Revert { name }) => {
            tracing::warn!("the revert to snapshot `{name}` was interrupted; finishing it");
            revert::revert_locked(prefix, &name, RevertOptions::default())
        }
    }
}

fn run_on(prefix: &Prefix, paused: &[String]) -> Result<()> {
    if !prefix.host().is_running() {
        return Ok(());
    }
    let vms: Vec<_> =
        prefix.vms().filter(|vm| paused.iter().any(|name| name == vm.name())).collect();
    parallel(vms, |vm| if vm.alive()? { take::resume(vm) } else { Ok(()) })?;
    Ok(())
}
