//! Taking a snapshot.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use indexmap::IndexMap;

use super::{
    Snapshot, SnapshotError, SnapshotKind, SnapshotOptions, VmSnapshot, description_of, memory,
    nvram, remove_files,
};
use crate::dirlock::DirLock;
use crate::paths::Paths;
use crate::prefix::Prefix;
use crate::prefix::layers::{self, Disks, disks_at};
use crate::prefix::state::{LayerId, Pending, State};
use crate::utils::{
    Failures, PRIVATE_MODE, Probe, create_dir, error_chain, parallel, wait_until, write_file,
};
use crate::virt::checkpoint::Checkpoint;
use crate::virt::{VirtError, Vm, VmState};
use crate::{Error, Result};

/// How long to try to let a VM run on. A libvirt that was killed meanwhile is back in a second or two.
const RESUME_LIMIT: Duration = Duration::from_secs(30);

/// How long to wait between two such tries.
const RESUME_INTERVAL: Duration = Duration::from_millis(200);

/// The longest name: it becomes part of a file's.
const LONGEST_NAME: usize = 100;

pub(super) fn take(prefix: &Prefix, name: &str, options: SnapshotOptions) -> Result<Snapshot> {
    let _span = tracing::info_span!("snapshot", name).entered();
    check_name(name)?;
    let lock = prefix.lock_settled()?;
    prefix.require_complete()?;
    let state = State::read(prefix.paths())?;
    if state.snapshots.contains_key(name) {
        return Err(SnapshotError::Exists { name: name.to_owned() }.into());
    }
    Take::new(prefix, name, options, &state)?.run(state, lock)
}

/// Whether a snapshot can be taken under this name.
pub(super) fn require_free(prefix: &Prefix, name: &str) -> Result<()> {
    check_name(name)?;
    if State::read(prefix.paths())?.snapshots.contains_key(name) {
        return Err(SnapshotError::Exists { name: name.to_owned() }.into());
    }
    Ok(())
}

/// A name is part of a path, and of command lines.
fn check_name(name: &str) -> Result<(), SnapshotError> {
    let refused = |reason| Err(SnapshotError::Name { name: name.to_owned(), reason });
    if name.is_empty() {
        return refused("it is empty");
    }
    if name.len() > LONGEST_NAME {
        return refused("it has more than 100 letters");
    }
    if name.starts_with(['.', '-']) {
        return refused("it begins with a dot or a dash");
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || ['.', '_', '-'].contains(&c);
    if !name.chars().all(allowed) {
        return refused("only letters, digits, `.`, `_` and `-` are allowed");
    }
    Ok(())
}

fn has_memory(state: VmState) -> bool {
    !matches!(state, VmState::Down | VmState::Crashed)
}

/// A snapshot that is being taken, by somebody who holds the prefix's lock.
pub(super) struct Take<'a> {
    prefix: &'a Prefix,
    name: &'a str,
    pub(super) kind: SnapshotKind,
    vms: Vec<(&'a Vm, VmState)>,
    /// The disks that the snapshot holds.
    frozen: Disks,
    /// Those that the VMs write to afterwards.
    overlays: Disks,
    below: Option<LayerId>,
    /// The layer of these.
    layer: LayerId,
    began: Instant,
}

/// What was kept of the VMs besides their disks, by their names and with paths from the prefix.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) memories: IndexMap<String, PathBuf>,
    pub(super) nvram: nvram::Files,
}

/// Why the states could not be cut.
struct Uncut {
    error: Box<Error>,
    /// Whether VMs are still held.
    held: bool,
}

impl From<Error> for Uncut {
    fn from(error: Error) -> Self {
        Self { error: Box::new(error), held: false }
    }
}

impl<'a> Take<'a> {
    pub(super) fn new(
        prefix: &'a Prefix,
        name: &'a str,
        options: SnapshotOptions,
        state: &State,
    ) -> Result<Self> {
        let mut vms = prefix.states()?;
        vms.retain(|(vm, _)| !vm.is_remote());
        let nothing_runs = vms.iter().all(|(_, state)| !has_memory(*state));
        let kind = match (nothing_runs, options.live) {
            (true, true) => return Err(SnapshotError::NothingRuns.into()),
            (true, false) => SnapshotKind::Stopped,
            (false, true) => SnapshotKind::Live,
            (false, false) => SnapshotKind::Memory,
        };
        Ok(Self {
            prefix,
            name,
            kind,
            vms,
            frozen: disks_at(prefix.record(), &state.attached, state.active),
            overlays: disks_at(prefix.record(), &state.attached, Some(state.next_layer())),
            below: state.active,
            layer: state.next_layer(),
            began: Instant::now(),
        })
    }

    fn run(self, mut state: State, lock: DirLock) -> Result<Snapshot> {
        let snapshot = self.freeze(&mut state)?;
        state.snapshots.insert(self.name.to_owned(), snapshot.clone());
        state.current = Some(self.name.to_owned());
        let has_memory = snapshot.vms.values().any(|vm| vm.memory.is_some());
        let name = self.name.to_owned();
        state.pending = has_memory.then_some(Pending::Compression { name });
        if let Err(error) = state.write(self.paths()) {
            state.remove_snapshot(self.name);
            return Err(self.abandon(&mut state, error));
        }
        if state.pending.is_some() {
            self.prefix.compression().start(self.paths().clone(), state, lock);
        }
        tracing::debug!(
            "taken in {:.1?}, the VMs stood still for {:.1?}",
            snapshot.took,
            snapshot.pause
        );
        Ok(snapshot)
    }

    /// Freezes what the VMs have written to their disks, and their memory as far as that is wanted; then they run on, on
    /// a new layer. The state in its file says that this is being done, until the caller writes another one.
    pub(super) fn freeze(&self, state: &mut State) -> Result<Snapshot> {
        tracing::info_span!("make layer").in_scope(|| self.announce(state))?;
        match self.make_directory().map_err(Uncut::from).and_then(|()| self.cut()) {
            Ok((pause, kept)) => Ok(self.snapshot(state, pause, &kept)),
            Err(Uncut { error, held: false }) => Err(self.abandon(state, *error)),
            // Who changes the prefix next tries again to let them run on.
            Err(Uncut { error, held: true }) => Err(*error),
        }
    }

    fn paths(&self) -> &Paths {
        self.prefix.paths()
    }

    /// The VMs whose state is more than their disks.
    fn running(&self) -> impl Iterator<Item = &Vm> {
        self.vms.iter().filter(|(_, state)| has_memory(*state)).map(|(vm, _)| *vm)
    }

    /// The VMs that have to be stopped and let go again.
    fn moving(&self) -> impl Iterator<Item = &Vm> {
        self.vms.iter().filter(|(_, state)| *state == VmState::Running).map(|(vm, _)| *vm)
    }

    /// Makes the new layer and says what is going to happen. From then on the new layer is the right one, whether the
    /// VMs have been moved onto it or not.
    fn announce(&self, state: &mut State) -> Result<()> {
        remove_files(self.paths(), self.name)?;
        layers::create(self.paths(), self.layer, &self.frozen)?;
        state.push_layer(self.layer, self.below);
        state.pending = Some(Pending::Snapshot {
            name: self.name.to_owned(),
            kind: self.kind,
            held: self.moving().map(|vm| vm.name().to_owned()).collect(),
        });
        state.write(self.paths()).map_err(|error| {
            let removed = layers::remove(self.paths(), [self.layer]);
            with_others(error, removed.err().map(Error::from))
        })
    }

    /// Makes the directory for the memory, now that somebody who opens the prefix would remove it.
    fn make_directory(&self) -> Result<()> {
        Ok(create_dir(&self.paths().prefix().join(Paths::snapshot(self.name)))?)
    }

    /// Cuts the states of all VMs at one instant. However that ends, the VMs run on, if libvirt lets them.
    fn cut(&self) -> Result<(Duration, Kept), Uncut> {
        let began = Instant::now();
        let held = tracing::info_span!("hold still").in_scope(|| self.hold());
        let cut = held.and_then(|()| {
            let _span = tracing::info_span!("write state").entered();
            let memories = parallel(self.running(), |vm| self.cut_one(vm))?;
            let nvram = nvram::keep(self.paths(), self.prefix.record(), self.name)?;
            Ok(Kept { memories: memories.into_iter().flatten().collect(), nvram })
        });
        let released = tracing::info_span!("let go").in_scope(|| self.release());
        let pause = if self.moving().next().is_some() { began.elapsed() } else { Duration::ZERO };
        match (cut, released) {
            (Ok(kept), Ok(())) => Ok((pause, kept)),
            (Err(error), Ok(())) => Err(error.into()),
            (Err(error), Err(stuck)) => {
                Err(Uncut { error: Box::new(with_others(error, [stuck])), held: true })
            }
            (Ok(_), Err(error)) => Err(Uncut { error: Box::new(error), held: true }),
        }
    }

    fn hold(&self) -> Result<()> {
        match self.kind {
            SnapshotKind::Live => {
                parallel(self.moving(), |vm| vm.agent().freeze().map(drop))?;
            }
            _ => {
                parallel(self.moving(), Vm::pause)?;
            }
        }
        Ok(())
    }

    fn release(&self) -> Result<()> {
        match self.kind {
            SnapshotKind::Live => parallel(self.moving(), |vm| vm.agent().thaw())?,
            _ => parallel(self.moving(), resume)?,
        };
        Ok(())
    }

    fn cut_one(&self, vm: &Vm) -> Result<Option<(String, PathBuf)>> {
        let _span = tracing::info_span!("checkpoint", vm = vm.name()).entered();
        let prefix = self.paths().prefix();
        let file = Paths::snapshot(self.name).join(format!("{}.memory", vm.name()));
        let with_memory = self.kind == SnapshotKind::Memory;
        let overlays = self.overlays[vm.name()].iter();
        let checkpoint = Checkpoint {
            memory: with_memory.then(|| prefix.join(&file)),
            overlays: overlays.map(|disk| disk.device(self.paths(), false)).collect(),
        };
        let write = || vm.checkpoint(&checkpoint);
        let description = match &checkpoint.memory {
            Some(memory) => memory::write_out_meanwhile(memory, write)?,
            None => write()?,
        };
        if !with_memory {
            return Ok(None);
        }
        let path = description_of(&prefix.join(&file), vm.name());
        write_file(&path, description.as_bytes(), PRIVATE_MODE)?;
        Ok(Some((vm.name().to_owned(), file)))
    }

    pub(super) fn snapshot(&self, state: &State, pause: Duration, kept: &Kept) -> Snapshot {
        let vms = self.vms.iter().map(|(vm, vm_state)| {
            let attached = state.attached.get(vm.name());
            let kept = VmSnapshot {
                state: *vm_state,
                memory: kept.memories.get(vm.name()).cloned(),
                disks: self.frozen[vm.name()].clone(),
                nvram: kept.nvram.get(vm.name()).cloned(),
                nics: attached.map(|attached| attached.nics.clone()).unwrap_or_default(),
            };
            (vm.name().to_owned(), kept)
        });
        Snapshot {
            name: self.name.to_owned(),
            parent: state.current.clone(),
            created: SystemTime::now(),
            kind: self.kind,
            vms: vms.collect(),
            outside: self.outside(),
            pause,
            took: self.began.elapsed(),
            mappings: state.mappings.clone(),
            layer: self.below,
        }
    }

    fn outside(&self) -> Vec<String> {
        let outside = self.prefix.vms().filter(|vm| vm.is_remote());
        outside.map(|vm| vm.name().to_owned()).collect()
    }

    /// Leaves nothing of the snapshot but its empty layer, which the VMs may already write to.
    pub(super) fn abandon(&self, state: &mut State, error: Error) -> Error {
        state.pending = None;
        let removed = remove_files(self.paths(), self.name).map_err(Error::from);
        let written = state.write(self.paths());
        with_others(error, [removed, written].into_iter().filter_map(Result::err))
    }
}

/// Lets a VM run on, also when libvirt has to come back for that.
pub(super) fn resume(vm: &Vm) -> Result<()> {
    let what = format!("VM {} to run on", vm.name());
    wait_until(what, RESUME_LIMIT, RESUME_INTERVAL, || match vm.resume() {
        Ok(()) => Ok(Probe::Done(())),
        Err(error @ VirtError::NotRunning { .. }) => Err(Error::from(error)),
        Err(error) => Ok(Probe::NotYet(error_chain(&error))),
    })
}

/// The first error, followed by those that came after it.
pub(crate) fn with_others(first: Error, others: impl IntoIterator<Item = Error>) -> Error {
    let others = others.into_iter().map(Into::into).collect();
    Failures { first, others }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parts_of_paths() {
        for name in ["deploy", "before.serve.fetch_page", "1", "a-b"] {
            check_name(name).unwrap();
        }
        let long = "x".repeat(LONGEST_NAME + 1);
        for name in ["", ".", "..", "-x", "a/b", "a b", "ä", "a\n", &long] {
            check_name(name).unwrap_err();
        }
    }
}
