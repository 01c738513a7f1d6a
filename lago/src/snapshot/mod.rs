//! Snapshots of the whole environment: disks and memory of all VMs, cut at one instant.
//!
//! A snapshot has a name and never changes. Snapshots form a tree: each one stands on the one that the environment was
//! last taken at or put back to. Taking one holds all VMs still for a moment; putting the environment back replaces them
//! by what they were, so that even a TCP connection between two guests lives on.
//!
//! ```no_run
//! # fn main() -> lago::Result<()> {
//! let prefix = lago::Prefix::open("my-prefix")?;
//! prefix.start()?;
//! prefix.snapshot("clean")?;
//! prefix.vm("server")?.run(lago::cmd!("rm", "-rf", "/etc"))?;
//! prefix.revert("clean")?;
//! let fork = prefix.fork("clean", "my-fork")?; // runs beside it, with the same addresses
//! fork.destroy()?;
//! # Ok(())
//! # }
//! ```
//!
//! The disks are chains of qcow2 overlays, of which each snapshot freezes the last one. The memory of a VM is the file
//! that libvirt makes of it, compressed with zstd.

mod clock;
mod compression;
mod delete;
mod error;
mod fork;
mod memory;
mod moment;
mod nvram;
mod recovery;
mod revert;
mod take;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

pub(crate) use clock::set_all as set_clocks;
pub(crate) use compression::Compression;
pub use error::SnapshotError;
pub(crate) use fork::{
    copy_identity, destroy_forks_inside, forks_of, prepare as prepare_fork, require_no_forks,
};
pub(crate) use moment::Moment;
pub(crate) use nvram::put_back as put_nvram_back;
pub(crate) use recovery::{recover, settle};
pub(crate) use take::with_others;

use crate::Result;
use crate::paths::Paths;
use crate::prefix::layers::Disks;
use crate::prefix::state::{Attached, AttachedDevices, AttachedNic, LayerId, State};
use crate::prefix::{DiskImage, Prefix, Record};
use crate::spec::PlannedVm;
use crate::virt::VmState;
use crate::virt::names::Mapping;

/// A state of a whole environment that was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its name.
    pub name: String,
    /// The snapshot on which the environment stood when this one was taken.
    pub parent: Option<String>,
    /// When it was taken.
    pub created: SystemTime,
    /// What of the VMs it holds.
    pub kind: SnapshotKind,
    /// The VMs.
    pub vms: IndexMap<String, VmSnapshot>,
    /// The machines of the environment that are no part of it, as lago only reaches them over ssh.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outside: Vec<String>,
    /// How long the VMs stood still while it was taken.
    pub pause: Duration,
    /// How long it took to take it, the pause included.
    pub took: Duration,
    /// The names that were added to its networks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) mappings: Vec<Mapping>,
    /// The layer that it froze; none is the disks that the prefix was made with, or those of another prefix.
    pub(crate) layer: Option<LayerId>,
}

/// What a snapshot holds of the VMs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SnapshotKind {
    /// Disks and memory: the VMs go on where they were.
    Memory,
    /// The disks of VMs that ran, whose file systems were at rest. The VMs boot from them.
    Live,
    /// The disks of VMs that were down. They stay down.
    Stopped,
}

/// What a snapshot holds of one VM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmSnapshot {
    /// What the VM was doing.
    pub state: VmState,
    /// The file with its memory, from the prefix. It has another name once it is compressed.
    pub memory: Option<PathBuf>,
    /// Its disks, from the prefix.
    pub disks: Vec<DiskImage>,
    /// The file with the variables of its UEFI firmware, from the prefix, if it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nvram: Option<PathBuf>,
    /// The network cards that it was given after it was made.
    #[serde(default)]
    pub(crate) nics: Vec<AttachedNic>,
}

/// How a snapshot is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SnapshotOptions {
    /// Leaves the memory out: the guests' file systems are brought to rest by the guest agent, and the VMs do not stand
    /// still. Putting such a snapshot back boots the VMs.
    pub live: bool,
}

/// How the environment is put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevertOptions {
    /// Sets the guests' clocks to the time of this machine. Otherwise they go on from when the snapshot was taken.
    pub set_clocks: bool,
    /// Leaves the VMs standing still at the instant of the snapshot, with their clocks as they are, until
    /// [`Prefix::resume`]. A snapshot without memory cannot be put back so.
    pub paused: bool,
}

impl Default for RevertOptions {
    fn default() -> Self {
        Self { set_clocks: true, paused: false }
    }
}

/// How much room a snapshot takes on disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SnapshotSize {
    /// The memory of its VMs.
    pub memory: u64,
    /// What the VMs had written to their disks since the snapshot before.
    pub disks: u64,
}

impl VmSnapshot {
    /// The VM with the cards that it had been given.
    pub(crate) fn with_attached(&self, planned: &PlannedVm) -> PlannedVm {
        let mut vm = planned.clone();
        vm.nics.extend(self.nics.iter().map(|nic| nic.planned.clone()));
        vm
    }
}

impl Snapshot {
    pub(crate) fn disks(&self) -> Disks {
        self.vms.iter().map(|(name, vm)| (name.clone(), vm.disks.clone())).collect()
    }

    /// What its VMs have besides what they were made with.
    pub(crate) fn attached(&self, record: &Record) -> AttachedDevices {
        let vms = self.vms.iter().map(|(name, vm)| {
            let made = record.disks.get(name).map_or(&[][..], Vec::as_slice);
            let later = |disk: &&DiskImage| made.iter().all(|known| known.dev != disk.dev);
            let disks = vm.disks.iter().filter(later).cloned().collect();
            (name.clone(), Attached { disks, nics: vm.nics.clone() })
        });
        vms.filter(|(_, attached)| *attached != Attached::default()).collect()
    }

    /// The snapshot as another prefix sees it: with whole paths.
    fn seen_from_elsewhere(&self, prefix: &Path) -> Self {
        let mut seen = Self { parent: None, layer: None, ..self.clone() };
        for vm in seen.vms.values_mut() {
            vm.memory = vm.memory.take().map(|path| prefix.join(path));
            vm.nvram = vm.nvram.take().map(|path| prefix.join(path));
            for disk in &mut vm.disks {
                disk.path = prefix.join(&disk.path);
            }
        }
        seen
    }
}

impl Prefix {
    /// Keeps the state of the whole environment under a name: disks and memory of running VMs, the disks of those that
    /// are down.
    ///
    /// The VMs stand still for a moment, all of them at once. When this fails, they run on and nothing is kept. When it
    /// returns, the snapshot is there; its memory is compressed by a thread meanwhile, for which the next change of the
    /// environment and the end of this value wait.
    pub fn snapshot(&self, name: &str) -> Result<Snapshot> {
        self.snapshot_with(name, SnapshotOptions::default())
    }

    /// As [`Self::snapshot`], with options.
    pub fn snapshot_with(&self, name: &str, options: SnapshotOptions) -> Result<Snapshot> {
        take::take(self, name, options)
    }

    /// For who has something to prepare before a snapshot: whether one can be taken under this name.
    ///
    /// # Errors
    /// When it cannot be a snapshot's, or there is a snapshot by it already.
    pub fn require_free_snapshot_name(&self, name: &str) -> Result<()> {
        take::require_free(self, name)
    }

    /// The snapshots, in the order in which they were taken.
    pub fn snapshots(&self) -> Result<Vec<Snapshot>> {
        Ok(State::read(self.paths())?.snapshots.into_values().collect())
    }

    /// The name of the snapshot on which the environment stands: the one that was taken or put back last.
    pub fn current_snapshot(&self) -> Result<Option<String>> {
        Ok(State::read(self.paths())?.current)
    }

    /// How much room a snapshot takes on disk, once its memory is compressed.
    pub fn snapshot_size(&self, name: &str) -> Result<SnapshotSize> {
        self.compression().wait();
        let state = State::read(self.paths())?;
        let snapshot = find(&state, name)?;
        let size = |path: &Path| {
            allocated(&self.paths().prefix().join(path)).map_err(|source| SnapshotError::File {
                action: "look at",
                path: path.to_owned(),
                source,
            })
        };
        let mut total = SnapshotSize::default();
        for vm in snapshot.vms.values() {
            // What another prefix has is no cost of this one.
            if let Some(memory) = vm.memory.as_ref().filter(|path| !path.is_absolute()) {
                total.memory += size(memory)?;
            }
            if let Some(nvram) = vm.nvram.as_ref().filter(|path| !path.is_absolute()) {
                total.disks += size(nvram)?;
            }
            for disk in vm.disks.iter().filter(|disk| disk.is_writable()) {
                if snapshot.layer.is_some() || !disk.path.is_absolute() {
                    total.disks += size(&disk.path)?;
                }
            }
        }
        Ok(total)
    }

    /// Puts every VM back to where it was when the snapshot was taken, running or down, from whatever it does now.
    ///
    /// Commands that run in a guest meanwhile fail. When something fails before the VMs are touched, they run on; when
    /// it fails later, they are down.
    pub fn revert(&self, name: &str) -> Result<()> {
        self.revert_with(name, RevertOptions::default())
    }

    /// As [`Self::revert`], with options.
    pub fn revert_with(&self, name: &str, options: RevertOptions) -> Result<()> {
        revert::revert(self, name, options)
    }

    /// Removes a snapshot. What stands on it stays as it is, and stands on its parent then. Refused while a fork runs on
    /// it.
    pub fn delete_snapshot(&self, name: &str) -> Result<()> {
        delete::delete(self, name)
    }

    /// Makes another environment that runs on from a snapshot, in a directory that does not exist yet, on a private host
    /// of its own.
    ///
    /// Its VMs have the same names, addresses and keys, and share with this prefix what they do not change. It has the
    /// snapshot as its own, so it can be put back to it. This prefix cannot be destroyed before it; one that lies in
    /// [`Paths::forks`] is destroyed with this prefix.
    pub fn fork(&self, snapshot: &str, path: impl AsRef<Path>) -> Result<Self> {
        fork::fork(self, snapshot, path.as_ref())
    }
}

/// The snapshot of this name.
pub(crate) fn find<'a>(state: &'a State, name: &str) -> Result<&'a Snapshot, SnapshotError> {
    state.snapshots.get(name).ok_or_else(|| SnapshotError::Unknown {
        name: name.to_owned(),
        known: state.snapshots.keys().cloned().collect(),
    })
}

/// Where the description of a VM is that belongs to its memory.
pub(crate) fn description_of(memory: &Path, vm: &str) -> PathBuf {
    memory.with_file_name(format!("{vm}.xml"))
}

/// Removes what a snapshot holds besides disks, if it is there.
fn remove_files(paths: &Paths, name: &str) -> Result<(), SnapshotError> {
    let path = paths.prefix().join(Paths::snapshot(name));
    match fs::remove_dir_all(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(SnapshotError::File { action: "remove", path, source })
        }
        _ => Ok(()),
    }
}

/// The bytes that a file takes on its disk.
fn allocated(path: &Path) -> io::Result<u64> {
    const BLOCK: u64 = 512;
    Ok(fs::metadata(path)?.blocks() * BLOCK)
}

#[cfg(test)]
pub(crate) mod tests;
