//! Layers: what the VMs write from one snapshot to the next, one overlay for each disk.
//!
//! An overlay that nothing has been written to shows what is below it. So a new layer is made and announced as the one
//! to write to *before* the VMs are moved onto it, and whatever happens between these steps, the announced layer is right.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use indexmap::IndexMap;

use super::disks::{Content, DiskImage, create_image};
use super::state::{AttachedDevices, LayerId};
use super::{PrefixError, Record};
use crate::Result;
use crate::paths::Paths;
use crate::spec::DiskFormat;
use crate::utils::{create_dir, let_through, parallel};

/// The disks of each VM.
pub(crate) type Disks = IndexMap<String, Vec<DiskImage>>;

/// The disks that the VMs write to when they use this layer: those that they were made with, then those attached later.
pub(crate) fn disks_at(
    record: &Record,
    attached: &AttachedDevices,
    layer: Option<LayerId>,
) -> Disks {
    let at_layer = |vm: &str, disk: &DiskImage| match layer {
        Some(layer) if disk.is_writable() => DiskImage {
            path: Paths::layer_disk(layer, vm, &disk.dev),
            format: DiskFormat::Qcow2,
            ..disk.clone()
        },
        _ => disk.clone(),
    };
    let vms = record.disks.iter().map(|(vm, disks)| {
        let added = attached.get(vm).into_iter().flat_map(|attached| &attached.disks);
        (vm.clone(), disks.iter().chain(added).map(|disk| at_layer(vm, disk)).collect())
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
        for dir in [paths.layers(), paths.layer(layer), paths.layer(layer).join(vm)] {
            let_through(&dir)?;
        }
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
    let backing = backing(paths, &path, below);
    let format = below.format.qemu_name();
    let content = Content::Overlay { path: &backing, format, size: None };
    create_image(&path, "qcow2", &content).map_err(|source| PrefixError::Disk {
        vm: vm.to_owned(),
        disk: below.dev.clone(),
        source: Box::new(source),
    })
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
