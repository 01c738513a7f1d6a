//! Putting the environment back.

use std::path::Path;

use super::{
    RevertOptions, Snapshot, SnapshotError, SnapshotKind, clock, description_of, find, memory,
    nvram, settle, take,
};
use crate::paths::Paths;
use crate::prefix::layers;
use crate::prefix::state::{Pending, State};
use crate::prefix::{Prefix, START_LIMIT};
use crate::utils::{FileError, error_chain, parallel, read_text};
use crate::virt::{Vm, VmState};
use crate::{Error, Result};

/// How the names of directories begin that hold the pipes of a revert.
pub(super) const RESTORE_DIR: &str = ".restore-";

pub(super) fn revert(prefix: &Prefix, name: &str, options: RevertOptions) -> Result<()> {
    let _lock = prefix.lock()?;
    prefix.require_complete()?;
    let pending = State::read(prefix.paths())?.pending;
    // This takes the place of a revert that was interrupted, and lets no VM run on that stands still.
    if !matches!(pending, Some(Pending::Revert { .. }))
        && let Err(error) = settle(prefix)
    {
        tracing::warn!("{}", error_chain(&error));
    }
    revert_locked(prefix, name, options)
}

/// As [`revert`], for a caller that holds the lock.
pub(super) fn revert_locked(prefix: &Prefix, name: &str, options: RevertOptions) -> Result<()> {
    let _span = tracing::info_span!("revert", name).entered();
    let began = std::time::Instant::now();
    let mut state = State::read(prefix.paths())?;
    let snapshot = find(&state, name)?.clone();
    if options.paused && snapshot.kind == SnapshotKind::Live {
        return Err(SnapshotError::NoMemory { name: name.to_owned() }.into());
    }
    require_files(prefix.paths(), &snapshot)?;
    let before = state.clone();
    tracing::info_span!("make layer")
        .in_scope(|| announce(prefix, &mut state, &snapshot, options))?;
    let stop = || prefix.heal_partitions().and_then(|()| prefix.virt_env().stop_vms());
    if let Err(error) = tracing::info_span!("stop").in_scope(stop) {
        return Err(stay(prefix.paths(), &state, &before, error));
    }
    let back = bring_back(prefix, &snapshot, options);
    let down = back.is_err().then(|| prefix.virt_env().stop_vms());
    state.pending = None;
    let unused = state.drop_unused_layers();
    let written = state.write(prefix.paths());
    if let Err(source) = back {
        for error in [down.and_then(Result::err), written.err()].into_iter().flatten() {
            tracing::warn!("{}", error_chain(&error));
        }
        return Err(SnapshotError::Down { name: name.to_owned(), source: Box::new(source) }.into());
    }
    written?;
    layers::remove(prefix.paths(), unused)?;
    tracing::debug!("back after {:.1?}", began.elapsed());
    Ok(())
}

/// Looks for the files before anything is changed.
pub(super) fn require_files(paths: &Paths, snapshot: &Snapshot) -> Result<(), SnapshotError> {
    let files = snapshot.vms.iter().flat_map(|(name, vm)| {
        let memory = vm.memory.iter().flat_map(|path| [path.clone(), description_of(path, name)]);
        memory.chain(vm.nvram.clone()).chain(vm.disks.iter().map(|disk| disk.path.clone()))
    });
    for path in files.map(|path| paths.prefix().join(path)) {
        if !path.exists() {
            return Err(SnapshotError::Incomplete { name: snapshot.name.clone(), path });
        }
    }
    Ok(())
}

/// Makes a new layer on the snapshot's disks and says what is going to happen.
fn announce(
    prefix: &Prefix,
    state: &mut State,
    snapshot: &Snapshot,
    options: RevertOptions,
) -> Result<()> {
    let (paths, layer) = (prefix.paths(), state.next_layer());
    layers::create(paths, layer, &snapshot.disks())?;
    state.push_layer(layer, snapshot.layer);
    state.attached = snapshot.attached(prefix.record());
    state.mappings.clone_from(&snapshot.mappings);
    state.current = Some(snapshot.name.clone());
    let RevertOptions { set_clocks, paused } = options;
    state.pending = Some(Pending::Revert { name: snapshot.name.clone(), set_clocks, paused });
    state.write(paths).inspect_err(|_| {
        if let Err(error) = layers::remove(paths, [layer]) {
            tracing::warn!("{}", error_chain(&error));
        }
    })
}

/// Takes the announcement back: a VM that cannot be stopped goes on writing to where it was.
fn stay(paths: &Paths, announced: &State, before: &State, error: Error) -> Error {
    let new = announced.layers.keys().filter(|id| !before.layers.contains_key(id)).copied();
    let undone = before.write(paths).and_then(|()| Ok(layers::remove(paths, new)?));
    take::with_others(error, undone.err())
}

fn bring_back(prefix: &Prefix, snapshot: &Snapshot, options: RevertOptions) -> Result<()> {
    nvram::put_back(prefix.paths(), snapshot)?;
    if snapshot.kind == SnapshotKind::Stopped {
        return prefix.virt_env().stop();
    }
    prefix.record().confirm_leases(prefix.paths().prefix())?;
    let vms: Vec<&Vm> = prefix.vms().filter(|vm| snapshot.state(vm) != VmState::Down).collect();
    prefix.virt_env().start(&prefix.virt_env().networks_of(&vms)?, &[])?;
    match snapshot.kind {
        SnapshotKind::Live => {
            parallel(&vms, |vm| vm.start())?;
            prefix.virt_env().wait_for_ssh(&vms, START_LIMIT)
        }
        _ => restore(prefix, snapshot, &vms, options),
    }
}

/// Brings all VMs back standing still, and lets them run together, unless they are to stay so.
fn restore(
    prefix: &Prefix,
    snapshot: &Snapshot,
    vms: &[&Vm],
    options: RevertOptions,
) -> Result<()> {
    let pipes = tempfile::Builder::new()
        .prefix(RESTORE_DIR)
        .tempdir_in(prefix.paths().prefix())
        .map_err(FileError::io("make a directory in", prefix.paths().prefix()))?;
    {
        let _span = tracing::info_span!("restore").entered();
        parallel(vms, |vm| restore_one(prefix.paths(), snapshot, vm, pipes.path()))?;
    }
    if options.paused {
        return Ok(());
    }
    let running: Vec<&&Vm> =
        vms.iter().filter(|vm| snapshot.state(vm) == VmState::Running).collect();
    {
        let _span = tracing::info_span!("let go").entered();
        parallel(&running, |vm| take::resume(vm))?;
    }
    if options.set_clocks {
        clock::set_all(running.into_iter().copied());
    }
    Ok(())
}

fn restore_one(paths: &Paths, snapshot: &Snapshot, vm: &Vm, pipes: &Path) -> Result<()> {
    let Some(memory) = &snapshot.vms[vm.name()].memory else { return Ok(()) };
    let _span = tracing::info_span!("load memory", vm = vm.name()).entered();
    let memory = paths.prefix().join(memory);
    let description = read_text(&description_of(&memory, vm.name()))?;
    memory::with_content(&memory, pipes, |content| vm.restore(content, &description))
}

impl Snapshot {
    fn state(&self, vm: &Vm) -> VmState {
        match self.vms.get(vm.name()).map_or(VmState::Down, |vm| vm.state) {
            VmState::Crashed => VmState::Down,
            state => state,
        }
    }
}
