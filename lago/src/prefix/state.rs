//! What changes in a prefix during its life: which layer of its disks is written to, and its snapshots.
//!
//! All of it is one file that is replaced as a whole, so that a process which is killed leaves the state before or the
//! state after. What takes more than one step is announced in it beforehand, as [`Pending`], and finished by whoever
//! opens the prefix next.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::paths::Paths;
use crate::prefix::DiskImage;
use crate::snapshot::{Snapshot, SnapshotKind};
use crate::spec::PlannedNic;
use crate::utils::{FileError, read_json, write_json};
use crate::virt::names::Mapping;

/// The number of a layer: one file for each disk, which holds what changed since the layer below.
pub(crate) type LayerId = u32;

/// What changes in a prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// The layer that the VMs write to; none while they write to the disks that the prefix was made with.
    pub(crate) active: Option<LayerId>,
    /// The snapshot on which the VMs' state stands.
    pub(crate) current: Option<String>,
    /// Every layer, with the one that it stands on; none is the disks that the prefix was made with.
    pub(crate) layers: BTreeMap<LayerId, Option<LayerId>>,
    /// The snapshots by name, in the order in which they were taken.
    pub(crate) snapshots: IndexMap<String, Snapshot>,
    /// What was begun and is not finished yet.
    pub(crate) pending: Option<Pending>,
    /// The forks that were made of this prefix.
    pub(crate) forks: Vec<ForkOf>,
    /// What the VMs have besides what they were made with.
    #[serde(default)]
    pub(crate) attached: AttachedDevices,
    /// The names that its networks know besides those of the plan.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) mappings: Vec<Mapping>,
}

/// The devices that VMs were given after they were made, by the VMs' names.
pub(crate) type AttachedDevices = IndexMap<String, Attached>;

/// The devices that one VM was given after it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attached {
    /// Its disks, with the paths that they have as long as there is no layer.
    pub(crate) disks: Vec<DiskImage>,
    /// Its network cards.
    pub(crate) nics: Vec<AttachedNic>,
}

/// A network card that a VM was given after it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AttachedNic {
    /// The number by which it is known: they go on after those of the init file.
    pub(crate) number: usize,
    /// Its network and its addresses.
    pub(crate) planned: PlannedNic,
}

/// A device of a VM that is being attached or detached, and how it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Device {
    /// A disk, by its name in the guest.
    Disk(String),
    /// A network card, by its hardware address.
    Nic(String),
}

/// A change of several steps that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Pending {
    /// A snapshot is being taken.
    Snapshot {
        /// Its name.
        name: String,
        /// What it holds: with the memory, VMs stand still meanwhile; live, their file systems do.
        kind: SnapshotKind,
        /// The VMs that are held so.
        held: Vec<String>,
    },
    /// A snapshot has been taken, and the files of its VMs' memory are being compressed.
    Compression {
        /// Its name.
        name: String,
    },
    /// A device is being attached to a VM that runs. It counts as attached already.
    Attach {
        /// The VM.
        vm: String,
        /// The device.
        device: Device,
    },
    /// A device is being detached from a VM that runs. It still counts as attached.
    Detach {
        /// The VM.
        vm: String,
        /// The device.
        device: Device,
    },
    /// The networks that are up are learning names. These count as theirs already.
    Names,
    /// The environment is being put back.
    Revert {
        /// The snapshot to which.
        name: String,
        /// Whether the guests' clocks are set afterwards.
        set_clocks: bool,
        /// Whether the VMs stay paused.
        #[serde(default)]
        paused: bool,
    },
}

/// A fork, as the prefix that it was made from knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ForkOf {
    /// The snapshot that it runs on.
    pub(crate) snapshot: String,
    /// Its directory.
    pub(crate) path: PathBuf,
}

impl State {
    /// A prefix that has never changed has no such file.
    pub(crate) fn read(paths: &Paths) -> Result<Self> {
        match read_json(&paths.state()) {
            Err(FileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(Self::default())
            }
            read => Ok(read?),
        }
    }

    pub(crate) fn write(&self, paths: &Paths) -> Result<()> {
        Ok(write_json(&paths.state(), self)?)
    }

    /// Forgets a device that a VM was given.
    pub(crate) fn forget_device(&mut self, vm: &str, device: &Device) {
        let Some(attached) = self.attached.get_mut(vm) else { return };
        match device {
            Device::Disk(dev) => attached.disks.retain(|disk| disk.dev != *dev),
            Device::Nic(mac) => attached.nics.retain(|nic| nic.planned.mac != *mac),
        }
    }

    /// The number of the next layer.
    pub(crate) fn next_layer(&self) -> LayerId {
        self.layers.keys().next_back().map_or(1, |last| last + 1)
    }

    /// Adds a layer on top of another one and has the VMs write to it.
    pub(crate) fn push_layer(&mut self, id: LayerId, below: Option<LayerId>) {
        self.layers.insert(id, below);
        self.active = Some(id);
    }

    /// Forgets the layers that neither the VMs nor a snapshot stand on, and returns them.
    pub(crate) fn drop_unused_layers(&mut self) -> Vec<LayerId> {
        let mut used = BTreeSet::new();
        let tops = self.snapshots.values().filter_map(|snapshot| snapshot.layer).chain(self.active);
        for top in tops {
            let mut layer = Some(top);
            while let Some(id) = layer.filter(|&id| used.insert(id)) {
                layer = self.layers.get(&id).copied().flatten();
            }
        }
        let unused: Vec<LayerId> =
            self.layers.keys().copied().filter(|id| !used.contains(id)).collect();
        self.layers.retain(|id, _| used.contains(id));
        unused
    }

    /// Takes a snapshot out of the tree; what stands on it stands on its parent then.
    pub(crate) fn remove_snapshot(&mut self, name: &str) -> Option<Snapshot> {
        let removed = self.snapshots.shift_remove(name)?;
        for other in self.snapshots.values_mut() {
            if other.parent.as_deref() == Some(name) {
                other.parent.clone_from(&removed.parent);
            }
        }
        if self.current.as_deref() == Some(name) {
            self.current.clone_from(&removed.parent);
        }
        Some(removed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::snapshot::tests::snapshot;

    /// What happens to a tree, without its disks.
    #[derive(Debug, Clone)]
    enum Step {
        Take,
        Revert(prop::sample::Index),
        Delete(prop::sample::Index),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => Just(Step::Take),
            2 => any::<prop::sample::Index>().prop_map(Step::Revert),
            2 => any::<prop::sample::Index>().prop_map(Step::Delete),
        ];
        prop::collection::vec(step, 0..40)
    }

    fn name_at(state: &State, index: prop::sample::Index) -> Option<String> {
        let count = state.snapshots.len();
        (count > 0).then(|| state.snapshots.keys()[index.index(count)].clone())
    }

    fn apply(state: &mut State, step: &Step, number: usize) {
        let id = state.next_layer();
        match step {
            Step::Take => {
                let name = format!("s{number}");
                let taken = Snapshot {
                    parent: state.current.clone(),
                    layer: state.active,
                    ..snapshot(&name)
                };
                state.push_layer(id, state.active);
                state.snapshots.insert(name.clone(), taken);
                state.current = Some(name);
            }
            Step::Revert(index) => {
                let Some(name) = name_at(state, *index) else { return };
                state.push_layer(id, state.snapshots[&name].layer);
                state.current = Some(name);
            }
            Step::Delete(index) => {
                let Some(name) = name_at(state, *index) else { return };
                state.remove_snapshot(&name);
            }
        }
    }

    proptest! {
        #[test]
        fn no_layer_that_something_stands_on_is_dropped(steps in steps()) {
            let mut state = State::default();
            for (number, step) in steps.iter().enumerate() {
                let before = state.clone();
                apply(&mut state, step, number);
                let everything = state.layers.clone();
                let dropped = state.drop_unused_layers();
                for top in state.snapshots.values().filter_map(|s| s.layer).chain(state.active) {
                    let mut layer = Some(top);
                    while let Some(id) = layer {
                        prop_assert!(!dropped.contains(&id));
                        prop_assert_eq!(state.layers.get(&id), everything.get(&id));
                        layer = state.layers[&id];
                    }
                }
                for name in state.snapshots.values().filter_map(|s| s.parent.as_ref()) {
                    prop_assert!(state.snapshots.contains_key(name));
                }
                prop_assert!(state.current.iter().all(|name| state.snapshots.contains_key(name)));
                // What a snapshot holds never changes.
                for (name, snapshot) in &state.snapshots {
                    if let Some(old) = before.snapshots.get(name) {
                        prop_assert_eq!(old.layer, snapshot.layer);
                    }
                }
            }
        }
    }

    #[test]
    fn a_number_is_not_used_again_while_its_layer_is_there() {
        let mut state = State::default();
        state.push_layer(1, None);
        state.push_layer(2, None);
        assert_eq!(state.drop_unused_layers(), [1]);
        assert_eq!(state.next_layer(), 3);
    }
}
