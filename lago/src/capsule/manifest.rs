//! What a capsule says about itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::machine::Machine;
use crate::brctl;
use crate::prefix::{DiskImage, Record};
use crate::snapshot::{Snapshot, SnapshotKind, description_of};
use crate::spec::{Domain, PlannedNet, VmProvider, names};
use crate::templates::{Digest, ImageFormat};

/// The version of the layout of capsules. One of a newer layout is refused.
pub const CAPSULE_FORMAT: u32 = 1;

/// The name of the first member.
pub(super) const MANIFEST: &str = "manifest.json";

/// The name of the last member.
pub(super) const SUMS: &str = "sha256sums";

/// The most files that a capsule has.
pub(super) const MOST_FILES: usize = 100_000;

/// The most bytes of a path.
const LONGEST_PATH: usize = 1024;

/// What a prefix makes itself, so that no file of a capsule may take its place.
const RESERVED: [&str; 14] = [
    MANIFEST,
    SUMS,
    "prefix.json",
    "state.json",
    "uuid",
    "lock",
    "layers",
    "nvram",
    "forks",
    "host",
    "capsules",
    "initialized",
    "id_rsa",
    "id_rsa.pub",
];

/// What a capsule says about itself: its first member, `manifest.json`.
///
/// Paths in it are those in the prefix that is made of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manifest {
    /// [`CAPSULE_FORMAT`].
    pub format: u32,
    /// The version of lago that saved it.
    pub lago: String,
    /// Why it was saved, if somebody said so.
    pub reason: Option<String>,
    /// What it was saved on.
    pub machine: Machine,
    /// The state of the VMs: a snapshot, on whose disks nothing stands yet.
    pub snapshot: Snapshot,
    /// What was decided when the environment was made, with its disks as they were at that moment.
    pub record: Record,
    /// The templates that images stand on.
    pub templates: Vec<TemplateUse>,
    /// The images that make up the disks; a disk's own and those below it.
    pub images: Vec<Image>,
    /// The files that follow, in their order in the archive.
    pub files: Vec<FileEntry>,
}

/// A template that images stand on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateUse {
    /// Its version, as `repository:template:version`.
    pub name: String,
    /// The digest of its image.
    pub digest: Digest,
    /// The format of its image.
    pub format: ImageFormat,
    /// The file that is its image, if that is in the capsule.
    pub file: Option<PathBuf>,
}

/// An image of a disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// The file.
    pub path: PathBuf,
    /// Its format.
    pub format: ImageFormat,
    /// What it stands on, if it is an overlay.
    pub below: Option<Below>,
}

/// What an image stands on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Below {
    /// Another image, by its file.
    Image(PathBuf),
    /// A template, by the digest of its image.
    Template(Digest),
}

/// A file in the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its path.
    pub path: PathBuf,
    /// Its size in bytes, holes included.
    pub size: u64,
    /// Where in the file the bytes of the member belong, when the file has holes; all of it otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Vec<Segment>>,
}

/// A part of a file that is no hole: the offset of its first byte, and how many bytes it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment(pub u64, pub u64);

impl FileEntry {
    /// How many bytes its member in the archive has.
    pub fn length(&self) -> u64 {
        let Some(data) = &self.data else { return self.size };
        data.iter().map(|segment| segment.1).sum()
    }

    /// Where the bytes of its member belong.
    pub(super) fn segments(&self) -> Vec<Segment> {
        self.data.clone().unwrap_or_else(|| vec![Segment(0, self.size)])
    }

    fn check(&self) -> Result<(), String> {
        let mut end = 0_u64;
        for Segment(offset, length) in self.segments() {
            let next = offset.checked_add(length).filter(|next| *next <= self.size);
            end = next.filter(|_| offset >= end).ok_or_else(|| {
                format!("the data of {} lie outside of it or on each other", self.path.display())
            })?;
        }
        Ok(())
    }
}

impl Manifest {
    /// The image of a VM's disk that is this file.
    pub(super) fn image(&self, path: &Path) -> Option<&Image> {
        self.images.iter().find(|image| image.path == path)
    }

    /// The template whose image has this digest.
    pub(super) fn template(&self, digest: &Digest) -> Option<&TemplateUse> {
        self.templates.iter().find(|template| template.digest == *digest)
    }

    /// How many bytes the files take on a disk that keeps their holes.
    pub fn data_size(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.length()))
    }

    /// Says what is wrong with a manifest that somebody else may have written: whether everything in it fits together,
    /// and whether a prefix that is made of it keeps within its directory.
    pub(super) fn check(&self) -> Result<(), String> {
        let files = self.check_files()?;
        let has = |path: &Path| files.contains_key(path);
        self.check_images(&has)?;
        self.check_names()?;
        self.check_state(&has)
    }

    fn check_files(&self) -> Result<BTreeMap<&Path, &FileEntry>, String> {
        if self.files.len() > MOST_FILES {
            return Err(format!(
                "it has {} files; at most {MOST_FILES} are read",
                self.files.len()
            ));
        }
        let mut files = BTreeMap::new();
        for file in &self.files {
            check_path(&file.path)?;
            file.check()?;
            if files.insert(file.path.as_path(), file).is_some() {
                return Err(format!("{} is there twice", file.path.display()));
            }
        }
        for path in files.keys() {
            if path.ancestors().skip(1).any(|above| files.contains_key(above)) {
                return Err(format!("{} lies below a file", path.display()));
            }
        }
        Ok(files)
    }

    fn check_images(&self, has: &impl Fn(&Path) -> bool) -> Result<(), String> {
        let mut above = BTreeSet::new();
        // An image comes after what it stands on, so that none stands on itself.
        for image in &self.images {
            let shown = image.path.display();
            if !is_plain(&image.path) {
                return Err(format!("the image {shown} has a name that no image of lago's has"));
            }
            if !has(&image.path) {
                return Err(format!("the image {shown} is missing"));
            }
            let stands_well = match &image.below {
                None => true,
                Some(_) if image.format != ImageFormat::Qcow2 => false,
                Some(Below::Image(path)) => above.contains(path.as_path()),
                Some(Below::Template(digest)) => self.template(digest).is_some(),
            };
            if !stands_well {
                return Err(format!("what the image {shown} stands on is missing"));
            }
            if !above.insert(image.path.as_path()) {
                return Err(format!("the image {shown} is described twice"));
            }
        }
        let file_is_missing = |template: &&TemplateUse| {
            template.file.as_deref().is_some_and(|file| !is_plain(file) || !has(file))
        };
        match self.templates.iter().find(file_is_missing) {
            Some(template) => Err(format!("the image of template `{}` is missing", template.name)),
            None => Ok(()),
        }
    }

    /// Names become parts of paths and of libvirt's descriptions.
    fn check_names(&self) -> Result<(), String> {
        let record = &self.record;
        let planned: Vec<&str> = record.plan.vms.iter().map(|vm| vm.name.as_str()).collect();
        let nets = record.plan.nets.iter().map(|net| net.name.as_str());
        planned.iter().copied().chain(nets).try_for_each(names::check)?;
        record.plan.nets.iter().try_for_each(check_net)?;
        self.snapshot.mappings.iter().try_for_each(|mapping| names::check(&mapping.name))?;
        let is_remote = |domain: &Domain| domain.vm_provider != VmProvider::LocalLibvirt;
        if !record.remote.is_empty() || record.init_file.domains.values().any(is_remote) {
            return Err(
                "it has a machine that lago does not start, of which none are packed".to_owned()
            );
        }
        let users = record.init_file.domains.values().map(|domain| &domain.ssh_user);
        if let Some(user) = users.into_iter().find(|user| !names::is_user(user)) {
            return Err(format!("{user:?} is no name of a user"));
        }
        let are_planned = |names: &mut dyn Iterator<Item = &String>| {
            let names: BTreeSet<&str> = names.map(String::as_str).collect();
            names == planned.iter().copied().collect()
        };
        let fits = are_planned(&mut record.init_file.domains.keys())
            && are_planned(&mut record.disks.keys())
            && are_planned(&mut self.snapshot.vms.keys());
        if fits { Ok(()) } else { Err("its VMs do not fit together".to_owned()) }
    }

    fn check_state(&self, has: &impl Fn(&Path) -> bool) -> Result<(), String> {
        for (name, disks) in &self.record.disks {
            let vm = &self.snapshot.vms[name];
            if vm.disks != *disks {
                return Err(format!("the disks of VM {name} are told in two ways"));
            }
            disks.iter().try_for_each(|disk| self.check_disk(name, disk))?;
            if vm.nvram.as_deref().is_some_and(|nvram| !has(nvram)) {
                return Err(format!("the UEFI variables of VM {name} are missing"));
            }
            let Some(memory) = &vm.memory else { continue };
            let in_place = self.snapshot.kind == SnapshotKind::Memory
                && has(memory)
                && has(&description_of(memory, name));
            if !in_place {
                return Err(format!("the memory of VM {name} is missing"));
            }
        }
        Ok(())
    }

    fn check_disk(&self, vm: &str, disk: &DiskImage) -> Result<(), String> {
        let is_device = disk.dev.chars().all(|c| c.is_ascii_lowercase()) && !disk.dev.is_empty();
        let format = self.image(&disk.path).map(|image| image.format.as_str());
        if is_device && format == Some(disk.format.qemu_name()) {
            return Ok(());
        }
        Err(format!("disk {:?} of VM {vm} is missing", disk.dev))
    }
}

/// What of a network becomes part of libvirt's descriptions, of dnsmasq's files and of nftables' rules.
fn check_net(net: &PlannedNet) -> Result<(), String> {
    net.mapping.keys().chain(net.mapping6.keys()).try_for_each(|name| names::check(name))?;
    if !brctl::is_name(&net.bridge) {
        return Err(format!("{:?} is no name of a bridge", net.bridge));
    }
    let is_domain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    match net.domain.as_ref().filter(|domain| !domain.chars().all(is_domain)) {
        Some(domain) => Err(format!("{domain:?} is no DNS domain")),
        None => Ok(()),
    }
}

/// Whether QEMU can only take this for the name of a file: it reads `json:` and `nbd:` at the beginning of a name as more.
fn is_plain(path: &Path) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "._+-/".contains(c);
    path.to_str().is_some_and(|text| text.chars().all(is_allowed))
}

/// Whether a file may have this path: one that stays in the directory and is no file of a prefix's own.
pub(super) fn check_path(path: &Path) -> Result<(), String> {
    let refused =
        |what: &str| Err(format!("the path `{}` {what}", path.to_string_lossy().escape_debug()));
    let Some(text) = path.to_str() else { return refused("is no text") };
    if text.len() > LONGEST_PATH {
        return refused("is too long");
    }
    if text.chars().any(char::is_control) {
        return refused("has control characters");
    }
    let mut names = Vec::new();
    for component in path.components() {
        let Component::Normal(name) = component else { return refused("leads out") };
        names.push(name.to_str().unwrap_or_default());
    }
    // `a//b` and `a/./b` have the same components as `a/b`.
    if names.is_empty() || names.join("/") != text {
        return refused("is not in its shortest form");
    }
    if RESERVED.contains(&names[0]) || names[0].starts_with(".lago") {
        return refused("is that of a prefix's own file");
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests;
