//! Another environment from the same snapshot, beside the first.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde::Deserialize;

use super::{Snapshot, SnapshotError, find, nvram, revert};
use crate::Result;
use crate::paths::Paths;
use crate::prefix::layers;
use crate::prefix::state::{ForkOf, State};
use crate::prefix::{HostKind, Origin, Prefix, Record, claim_directory};
use crate::utils::{FileError, create_dir, parallel, read_json, with_rollback};

pub(super) fn fork(prefix: &Prefix, name: &str, path: &Path) -> Result<Prefix> {
    let _span = tracing::info_span!("fork", name).entered();
    let fork = prepare(prefix, name, path)?;
    match fork.revert(name) {
        Ok(()) => Ok(fork),
        Err(error) => {
            let destroyed = fork.destroy();
            Err(super::take::with_others(error, destroyed.err()))
        }
    }
}

/// Makes the fork's directory. It is down, and comes up as the snapshot when it is put back to that.
pub(crate) fn prepare(prefix: &Prefix, name: &str, path: &Path) -> Result<Prefix> {
    if let HostKind::Uri(uri) = &prefix.record().host {
        return Err(SnapshotError::NotPrivate { host: uri.clone() }.into());
    }
    let path = std::path::absolute(path).map_err(FileError::io("find", path))?;
    let paths = Paths::new(path);
    find(&State::read(prefix.paths())?, name)?;
    let _lock = claim_directory(&paths)?;
    let fork = with_rollback(|rollback| {
        rollback.defer("remove the unfinished fork", || crate::prefix::removal::remove(&paths));
        let snapshot = register(prefix, name, &paths)?;
        revert::require_files(prefix.paths(), &snapshot)?;
        make(prefix, &snapshot, &paths)
    })?;
    Ok(fork)
}

/// Notes the fork, so that nothing is removed from under it. From then on the snapshot stays.
fn register(prefix: &Prefix, name: &str, fork: &Paths) -> Result<Snapshot> {
    let _lock = prefix.lock_settled()?;
    let mut state = State::read(prefix.paths())?;
    let snapshot = find(&state, name)?.seen_from_elsewhere(prefix.paths().prefix());
    forget_gone(&mut state, prefix.paths());
    // One that was made anew in the same place.
    state.forks.retain(|known| known.path != fork.prefix());
    state.forks.push(ForkOf { snapshot: name.to_owned(), path: fork.prefix().to_owned() });
    state.write(prefix.paths())?;
    Ok(snapshot)
}

/// Makes the directory of a prefix that is down and has one snapshot.
fn make(origin: &Prefix, snapshot: &Snapshot, paths: &Paths) -> Result<Prefix> {
    let from = origin.paths();
    for dir in [paths.images(), paths.console_logs(), paths.host_keys(), paths.host()] {
        create_dir(&dir)?;
    }
    copy(&from.uuid(), &paths.uuid())?;
    copy_identity(origin, paths)?;
    let mut state = State {
        snapshots: IndexMap::from([(snapshot.name.clone(), snapshot.clone())]),
        attached: snapshot.attached(origin.record()),
        mappings: snapshot.mappings.clone(),
        ..State::default()
    };
    // A process that is killed before the fork is up leaves one that may be started: it must not write to what is frozen.
    let layer = state.next_layer();
    layers::create(paths, layer, &snapshot.disks())?;
    state.push_layer(layer, None);
    state.write(paths)?;
    create_dir(&paths.nvram_dir())?;
    nvram::put_back(paths, snapshot)?;
    let mut record: Record = origin.record().clone();
    record.origin =
        Some(Origin { prefix: from.prefix().to_owned(), snapshot: snapshot.name.clone() });
    for disk in record.disks.values_mut().flatten() {
        disk.path = from.prefix().join(&disk.path);
    }
    Prefix::establish(paths, record)
}

/// Copies the keys by which the guests and their user know each other.
pub(crate) fn copy_identity(origin: &Prefix, paths: &Paths) -> Result<()> {
    let from = origin.paths();
    let is_ours = from.identity() == from.ssh_key();
    let public = if is_ours { from.ssh_key_pub() } else { from.ssh_id_rsa_pub() };
    let mut files = vec![
        (from.identity(), paths.ssh_key()),
        (public, paths.ssh_key_pub()),
        (from.known_hosts(), paths.known_hosts()),
        (from.learned_known_hosts(), paths.learned_known_hosts()),
    ];
    for vm in origin.vms() {
        files.push((from.host_key(vm.name()), paths.host_key(vm.name())));
        files.push((from.host_key_pub(vm.name()), paths.host_key_pub(vm.name())));
        files.push((from.vnc_password(vm.name()), paths.vnc_password(vm.name())));
    }
    create_dir(&paths.vnc_passwords())?;
    files.into_iter().try_for_each(|(source, target)| copy(&source, &target))?;
    copy_files(&from.learned_host_keys(), &paths.learned_host_keys())?;
    // They belong to the identity that they make of a guest.
    copy_files(&from.scripts(), &paths.scripts())
}

/// Copies the files of a directory, if it is there.
fn copy_files(from: &Path, to: &Path) -> Result<()> {
    let entries = match fs::read_dir(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(FileError::io("read", from))?,
    };
    create_dir(to)?;
    for entry in entries {
        let entry = entry.map_err(FileError::io("read", from))?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

/// Mode and all; a file that a user removed is not missed here.
fn copy(source: &Path, target: &Path) -> Result<()> {
    match fs::copy(source, target) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(FileError::io("copy", source)(error).into())
        }
        _ => Ok(()),
    }
}

/// Forgets the forks that are not there any more.
pub(super) fn forget_gone(state: &mut State, origin: &Paths) {
    state.forks.retain(|fork| stands_on(&Paths::new(&fork.path), origin));
}

/// Whether there is a fork of `origin` in this directory. One that was cleaned up has no disks any more, and what was made
/// anew there stands on something else. What cannot be told counts as a fork.
fn stands_on(fork: &Paths, origin: &Paths) -> bool {
    #[derive(Deserialize)]
    struct Described {
        origin: Option<Origin>,
    }
    if fork.unfinished().exists() {
        return true;
    }
    if !fork.is_prefix() || !fork.images().is_dir() {
        return false;
    }
    let Ok(Described { origin: stated }) = read_json(&fork.record()) else { return true };
    let Some(stated) = stated else { return false };
    match (stated.prefix.canonicalize(), origin.prefix().canonicalize()) {
        (Ok(stated), Ok(origin)) => stated == origin,
        _ => true,
    }
}

/// The directories of the forks that stand on a prefix.
pub(crate) fn forks_of(paths: &Paths) -> Result<Vec<PathBuf>> {
    let mut state = State::read(paths)?;
    forget_gone(&mut state, paths);
    Ok(state.forks.into_iter().map(|fork| fork.path).collect())
}

/// Destroys the forks that lie in the prefix.
pub(crate) fn destroy_forks_inside(paths: &Paths) -> Result<()> {
    let dir = paths.forks();
    let entries = match fs::read_dir(&dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(FileError::io("read", &dir))?,
    };
    let forks: Vec<_> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()
        .map_err(FileError::io("read", &dir))?;
    parallel(forks, |fork| {
        let paths = Paths::new(&fork);
        if paths.is_prefix() || paths.unfinished().exists() {
            Prefix::destroy_at(&fork)?;
        }
        Ok::<_, crate::Error>(())
    })?;
    Ok(fs::remove_dir_all(&dir).map_err(FileError::io("remove", &dir))?)
}

/// Refuses to remove a prefix that forks elsewhere stand on.
pub(crate) fn require_no_forks(paths: &Paths) -> Result<()> {
    match forks_of(paths)?.into_iter().find(|fork| !fork.starts_with(paths.forks())) {
        None => Ok(()),
        Some(fork) => {
            let what = format!("the prefix {}", paths.prefix().display());
            Err(SnapshotError::InUse { what, fork }.into())
        }
    }
}
