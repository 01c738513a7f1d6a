//! UEFI firmware, by the descriptors that packages bring for it. Their form is in QEMU's `docs/interop/firmware.json`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde::Deserialize;

use super::Check;
use super::packages::Packages;
use super::system::System;

/// Where the descriptors are; one of a later directory takes the place of one by the same name.
const DIRECTORIES: [&str; 2] = ["/usr/share/qemu/firmware", "/etc/qemu/firmware"];

const PACKAGES: Packages = Packages { debian: "ovmf", fedora: "edk2-ovmf" };

/// As much of a descriptor as decides whether libvirt takes it for a VM of lago's.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Descriptor {
    interface_types: Vec<String>,
    mapping: Mapping,
    targets: Vec<Target>,
    features: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Mapping {
    device: String,
    executable: Executable,
}

/// The file with the firmware's code.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Executable {
    pub(crate) filename: String,
    /// `raw`, or `qcow2`, which the variables are in then, too.
    pub(crate) format: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Target {
    architecture: String,
}

/// Whether there is firmware for VMs with `firmware: uefi`.
pub(in crate::host) fn uefi(system: &System) -> Check {
    const NAME: &str = "UEFI firmware";
    match executable(system) {
        Some(found) => Check::ok(NAME, found.filename),
        None => Check::warning(
            NAME,
            "is not installed; VMs with `firmware: uefi` need it",
            PACKAGES.install(system),
        ),
    }
}

/// The firmware that libvirt chooses: the first that can be used.
pub(in crate::host) fn executable(system: &System) -> Option<Executable> {
    let mut usable = descriptors(system).into_iter().filter(|known| known.is_usable(system));
    usable.next().map(|found| found.mapping.executable)
}

fn descriptors(system: &System) -> Vec<Descriptor> {
    let files = DIRECTORIES.iter().flat_map(|directory| fs::read_dir(system.file(directory)));
    let named: BTreeMap<_, PathBuf> =
        files.flatten().flatten().map(|entry| (entry.file_name(), entry.path())).collect();
    let read = |path: &PathBuf| serde_json::from_slice(&fs::read(path).ok()?).ok();
    named.values().filter_map(read).collect()
}

impl Descriptor {
    /// Firmware with Secure Boot needs the processor's system management mode, which lago leaves off.
    fn is_usable(&self, system: &System) -> bool {
        self.interface_types.iter().any(|kind| kind == "uefi")
            && self.mapping.device == "flash"
            && self.targets.iter().any(|target| target.architecture == std::env::consts::ARCH)
            && self.features.iter().all(|feature| feature != "requires-smm")
            && system.file(&self.mapping.executable.filename).is_file()
    }
}
