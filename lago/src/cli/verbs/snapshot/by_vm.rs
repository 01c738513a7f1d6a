//! The snapshots of each VM, as Lago lists them: with the disks that each has frozen.

use serde_json::{Map, Value, json};

use crate::Prefix;
use crate::prefix::DiskImage;
use crate::snapshot::Snapshot;
use crate::spec::{Disk, DiskKind, FileSource};

pub(super) fn listing(prefix: &Prefix) -> anyhow::Result<Value> {
    let snapshots = prefix.snapshots()?;
    let of_vm = |vm: &str| -> Map<String, Value> {
        let having = snapshots.iter().filter(|snapshot| snapshot.vms.contains_key(vm));
        having.map(|snapshot| (snapshot.name.clone(), disks(prefix, vm, snapshot))).collect()
    };
    Ok(prefix.vms().map(|vm| (vm.name().to_owned(), json!(of_vm(vm.name())))).collect())
}

fn disks(prefix: &Prefix, vm: &str, snapshot: &Snapshot) -> Value {
    let record = prefix.record();
    let spec = |image: &DiskImage| {
        record.init_file.domains[vm].disks.iter().find(|disk| disk.dev == image.dev)
    };
    let is_seed = |image: &&DiskImage| {
        let made = record.disks.get(vm).into_iter().flatten();
        spec(image).is_none() && made.into_iter().any(|made| made.dev == image.dev)
    };
    let images = snapshot.vms[vm].disks.iter().filter(|image| !is_seed(image));
    let shown = images.map(|image| {
        let mut shown = spec(image).map_or_else(|| json!({ "type": "file" }), described);
        shown["dev"] = json!(image.dev);
        shown["format"] = json!(image.format);
        shown["path"] = json!(prefix.paths().prefix().join(&image.path));
        let known = record.disk_metadata.get(vm).and_then(|disks| disks.get(&image.dev));
        shown["metadata"] = json!(known.cloned().unwrap_or_default());
        shown
    });
    shown.collect()
}

/// What the init file says of a disk, in its words.
fn described(disk: &Disk) -> Value {
    let mut shown = match &disk.kind {
        DiskKind::Template { name, version: Some(version), .. } => {
            json!({ "type": "template", "template_name": name, "template_version": version })
        }
        DiskKind::Template { name, version: None, .. } => {
            json!({ "type": "template", "template_name": name })
        }
        DiskKind::Image { .. } => json!({ "type": "template", "template_type": "qcow2" }),
        DiskKind::Empty { size } => json!({ "type": "empty", "size": size }),
        DiskKind::File { source: FileSource::Url { url, .. }, .. } => {
            json!({ "type": "file", "url": url })
        }
        DiskKind::File { source: FileSource::Path(_), .. } => json!({ "type": "file" }),
    };
    shown["name"] = json!(disk.name);
    shown
}
