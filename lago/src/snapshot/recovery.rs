//! Finishing what a process that was killed had begun.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::revert::RESTORE_DIR;
use super::{RevertOptions, SnapshotKind, compression, revert, take};
use crate::Result;
use crate::dirlock::{self, Mode};
use crate::paths::Paths;
use crate::prefix::state::{LayerId, Pending, State};
use crate::prefix::{Prefix, attached, mappings};
use crate::utils::{FileError, error_chain, parallel};
use crate::virt::Vm;

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
    match dirlock::try_lock(paths.prefix(), Mode::Exclusive)? {
        Some(_lock) => settle(prefix),
        None => Ok(()),
    }
}

/// Finishes what is pending and removes what nobody knows of, for a caller that holds the lock.
pub(crate) fn settle(prefix: &Prefix) -> Result<()> {
    let paths = prefix.paths();
    let mut state = State::read(paths)?;
    match state.pending.clone() {
        None => {}
        Some(Pending::Snapshot { name, kind, held }) => {
            tracing::warn!("taking snapshot `{name}` was interrupted; letting the VMs run on");
            let_go(prefix, kind, &held)?;
            state.pending = None;
            state.write(paths)?;
        }
        Some(Pending::Compression { .. }) => compression::finish(paths, state)?,
        Some(Pending::Attach { vm, device }) => {
            tracing::warn!("attaching a device to VM {vm} was interrupted; finishing it");
            attached::finish_attach(prefix, state, &vm, &device)?;
        }
        Some(Pending::Detach { vm, device }) => {
            tracing::warn!("detaching a device from VM {vm} was interrupted; finishing it");
            attached::finish_detach(prefix, state, &vm, &device)?;
        }
        Some(Pending::Names) => {
            tracing::warn!("adding names to the networks was interrupted; finishing it");
            mappings::finish(prefix, state)?;
        }
        Some(Pending::Revert { name, set_clocks, paused }) => {
            tracing::warn!("the revert to snapshot `{name}` was interrupted; finishing it");
            revert::revert_locked(prefix, &name, RevertOptions { set_clocks, paused })?;
        }
    }
    sweep(paths)
}

fn let_go(prefix: &Prefix, kind: SnapshotKind, held: &[String]) -> Result<()> {
    if !prefix.host().is_running() {
        return Ok(());
    }
    let vms: Vec<_> = prefix.vms().filter(|vm| held.iter().any(|name| name == vm.name())).collect();
    parallel(vms, |vm| match (vm.alive()?, kind) {
        (false, _) => Ok(()),
        (true, SnapshotKind::Live) => {
            thaw(vm);
            Ok(())
        }
        (true, _) => take::resume(vm),
    })?;
    Ok(())
}

/// An agent that does not answer may never have brought anything to rest, and is no reason to refuse what comes next.
fn thaw(vm: &Vm) {
    if let Err(error) = vm.agent().thaw() {
        let reason = error_chain(&error);
        tracing::warn!(vm = vm.name(), "its file systems may still be at rest: {reason}");
    }
}

/// Removes the files of layers and snapshots that are not there, and the pipes of reverts that have ended.
fn sweep(paths: &Paths) -> Result<()> {
    let state = State::read(paths)?;
    let is_layer =
        |name: &str| name.parse::<LayerId>().is_ok_and(|id| state.layers.contains_key(&id));
    let unknown = [
        entries(&paths.layers(), |name| !is_layer(name))?,
        entries(&paths.snapshots(), |name| !state.snapshots.contains_key(name))?,
        entries(paths.prefix(), |name| name.starts_with(RESTORE_DIR))?,
    ];
    for path in unknown.into_iter().flatten() {
        fs::remove_dir_all(&path).map_err(FileError::io("remove", &path))?;
    }
    Ok(())
}

/// The directories in a directory that may not be there.
fn entries(dir: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, FileError> {
    let list = || {
        let entries = fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path()));
        entries.collect::<io::Result<Vec<_>>>()
    };
    let mut found = match list() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        found => found.map_err(FileError::io("read", dir))?,
    };
    let is_wanted =
        |path: &Path| path.file_name().is_some_and(|name| wanted(&name.to_string_lossy()));
    found.retain(|path| path.is_dir() && is_wanted(path));
    Ok(found)
}
