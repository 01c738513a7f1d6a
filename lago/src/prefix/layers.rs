//! Layers: what the VMs write from one snapshot to the next, one overlay for each disk.
//!
//! An overlay that nothing has been written to shows what is below it. So a new layer is made and announced as the one
//! to write to *before* the VMs are moved onto it, and whatever happens between these steps, the announced layer is right.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;

use super::disks::DiskImage;
use super::state::{LayerId, State};
use super::{PrefixError, Record};
use crate::Result;
use crate::paths::Paths;
use crate::spec::DiskFormat;
use crate::utils::{HostCommand, PRIVATE_MODE, create_dir, parallel, write_file};
use crate::virt::CurrentDisks;
use crate::virt::domain_xml::DiskDevice;

/// The disks of each VM.
pub(crate) type Disks = IndexMap<String, Vec<DiskImage>>;

/// The disks that the VMs write to when they use this layer.
pub(crate) fn disks_at(record: &Record, layer: Option<LayerId>) -> Disks {
    let Some(layer) = layer else { return record.disks.clone() };
    let at_layer = |vm: &str, disk: &DiskImage| DiskImage {
        path: Paths::layer_disk(layer, vm, &disk.dev),
        format: DiskFormat::Qcow2,
        ..disk.clone()
    };
    let vms = record.disks.iter().map(|(vm, disks)| {
        let disks = disks
            .iter()
            .map(|disk| if disk.is_writable() { at_layer(vm, disk) } else { disk.clone() });
        (vm.clone(), disks.collect())
    });
    vms.collect()
}

/// Makes the files of a layer, all at once, on top of these disks. A failure leaves nothing.
pub(crate) fn create(paths: &Paths, layer: LayerId, below: &Disks) -> Result<()> {
    // What an earlier process left half made was never announced.
    remove(paths, [layer])?;
    let wanted: Vec<(&str, &DiskImage)> = below
        .iter()
        .flat_map(|(vm, disks)| disks.iter().map(move |disk| (vm.as_str(), disk)))
        .filter(|(_, disk)| disk.is_writable())
        .collect();
    for (vm, _) in &wanted {
        create_dir(&paths.layer(layer).join(vm))?;
    }
    let made = parallel(wanted, |(vm, disk)| create_overlay(paths, layer, vm, disk));
    if made.is_err()
        && let Err(error) = remove(paths, [layer])
    {
        tracing::warn!("{error}");
    }
    made?;
    Ok(())
}

fn create_overlay(
    paths: &Paths,
    layer: LayerId,
    vm: &str,
    below: &DiskImage,
) -> Result<(), PrefixError> {
    let path = paths.prefix().join(Paths::layer_disk(layer, vm, &below.dev));
    let error = |source| PrefixError::Disk { vm: vm.to_owned(), disk: below.dev.clone(), source };
    // qemu-img keeps the mode of a file that exists, and would make a readable one.
    write_file(&path, b"", PRIVATE_MODE).map_err(|source| error(source.into()))?;
    HostCommand::new("qemu-img")
        .args(["create", "-q", "-f", "qcow2", "-F", below.format.qemu_name(), "-b"])
        .arg(backing(paths, &path, below))
        .arg(&path)
        .run()
        .map_err(|source| error(source.into()))?;
    Ok(())
}

/// The file below as the overlay names it: from the overlay's directory when both are in the prefix, so that the prefix
/// can be moved as a whole.
fn backing(paths: &Paths, overlay: &Path, below: &DiskImage) -> PathBuf {
    if below.path.is_absolute() {
        return below.path.clone();
    }
    let depth = overlay
        .strip_prefix(paths.prefix())
        .map_or(0, |inside| inside.components().count().saturating_sub(1));
    std::iter::repeat_n(Component::ParentDir, depth).collect::<PathBuf>().join(&below.path)
}

/// Removes the files of layers, those that are there.
pub(crate) fn remove(
    paths: &Paths,
    layers: impl IntoIterator<Item = LayerId>,
) -> Result<(), PrefixError> {
    for layer in layers {
        let path = paths.layer(layer);
        match fs::remove_dir_all(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(PrefixError::Io { action: "remove", path, source });
            }
            _ => {}
        }
    }
    Ok(())
}

/// The disks that a VM uses when it starts now.
#[derive(Debug)]
pub(super) struct ActiveDisks {
    pub(super) paths: Paths,
    pub(super) record: Arc<Record>,
    pub(super) vm: String,
}

impl CurrentDisks for ActiveDisks {
    fn current(&self) -> Result<Vec<DiskDevice>> {
        let layer = State::read(&self.paths)?.active;
        if layer.is_none() && self.record.origin.is_some() {
            // Without a layer of its own a fork would write to the disks of the prefix that it stands on.
            let source = io::ErrorKind::NotFound.into();
            return Err(PrefixError::Io { action: "read", path: self.paths.state(), source }.into());
        }
        let disks = disks_at(&self.record, layer);
        Ok(disks[&self.vm].iter().map(|disk| disk.device(&self.paths)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(path: &str) -> DiskImage {
        DiskImage {
            path: path.into(),
            format: DiskFormat::Qcow2,
            dev: "vda".into(),
            read_only: false,
        }
    }

    #[test]
    fn a_layer_names_what_is_below_it_from_where_it_is() {
        let paths = Paths::new("/p");
        let overlay = paths.prefix().join(Paths::layer_disk(3, "server", "vda"));
        assert_eq!(
            backing(&paths, &overlay, &disk("images/server-root.qcow2")),
            Path::new("../../../images/server-root.qcow2")
        );
        assert_eq!(
            backing(&paths, &overlay, &disk("/data/shared.img")),
            Path::new("/data/shared.img")
        );
    }
}
