//! The disks of a prefix: overlays on templates and on files, and empty ones.

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::chain::{Link, rebase};
use super::layers::Disks;
use super::{InitOptions, PrefixError};
use crate::paths::Paths;
use crate::spec::{Disk, DiskFormat, DiskKind, FileSource, TemplateBase};
use crate::templates::{
    ImageFormat, Metadata, StoredImage, fetch_file, is_compressed, unpack_file,
};
use crate::utils::{FileError, HostCommand, PRIVATE_MODE, parallel, write_file};
use crate::virt::domain_xml::DiskDevice;
use crate::{Result, sysprep};

/// A disk image of a prefix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskImage {
    /// Where it is: below the prefix, or absolute for a file that is used as it is.
    pub path: PathBuf,
    /// Its format.
    pub format: DiskFormat,
    /// The name of the device in the guest.
    pub dev: String,
    /// Whether the guest may only read it.
    pub read_only: bool,
}

impl DiskImage {
    /// Whether the guest may write to it.
    pub(crate) fn is_writable(&self) -> bool {
        !self.read_only && self.format != DiskFormat::Iso
    }

    pub(crate) fn device(&self, paths: &Paths, detachable: bool) -> DiskDevice {
        let cdrom = self.format == DiskFormat::Iso;
        DiskDevice {
            path: paths.prefix().join(&self.path),
            format: self.format.qemu_name(),
            dev: self.dev.clone(),
            read_only: self.read_only || cdrom,
            cdrom,
            detachable,
        }
    }
}

/// How long copying an image may take: a hundred gigabytes on a slow disk.
pub(crate) const COPY_LIMIT: Duration = Duration::from_secs(30 * 60);

/// What an overlay stands on.
pub(super) struct Backing {
    pub(super) path: PathBuf,
    pub(super) format: ImageFormat,
}

/// The disks of all VMs, without seeds.
#[derive(Debug)]
pub(super) struct MadeDisks {
    pub(super) disks: Disks,
    /// What is known about the image that a VM starts from.
    pub(super) metadata: HashMap<String, Metadata>,
}

/// Makes the disks of all VMs, all at once.
pub(super) fn make(paths: &Paths, id: Uuid, options: &InitOptions) -> Result<MadeDisks> {
    let wanted: Vec<(&str, &Disk)> = options
        .init_file
        .domains
        .iter()
        .flat_map(|(vm, domain)| domain.disks.iter().map(move |disk| (vm.as_str(), disk)))
        .collect();
    let made = parallel(wanted, |(vm, disk)| {
        Ok::<_, crate::Error>((vm, make_disk(paths, id, options, vm, disk)?))
    })?;
    let vms = options.init_file.domains.keys();
    let mut disks: Disks = vms.map(|vm| (vm.clone(), Vec::new())).collect();
    let mut metadata = HashMap::new();
    for (vm, (image, known)) in made {
        disks[vm].push(image);
        metadata.entry(vm.to_owned()).or_insert(known);
    }
    Ok(MadeDisks { disks, metadata })
}

fn make_disk(
    paths: &Paths,
    id: Uuid,
    options: &InitOptions,
    vm: &str,
    disk: &Disk,
) -> Result<(DiskImage, Metadata)> {
    let _span = tracing::info_span!("disk", vm, name = disk.name).entered();
    let target = Target { vm, disk, path: paths.disk(vm, &disk.name, extension(disk.format)) };
    let mut metadata = Metadata::new();
    let mut is_built = disk.build.is_empty();
    let path = match &disk.kind {
        DiskKind::Template { name, version, size } => {
            let image = options.template(id, name, version.as_deref(), paths.prefix())?;
            let image = options.built(&image, &disk.build, id, paths.prefix());
            let image = image.map_err(|source| target.error(source))?;
            metadata = image.metadata;
            is_built = true;
            let backing = Backing { path: image.path, format: image.format };
            target.overlay(&backing, *size)?
        }
        DiskKind::Image { path, size, base } => {
            let image = target.image(path)?;
            let base = match base {
                Some(base) => Some(options.base(id, base, paths.prefix())?),
                None => target.absent_base(&image, id, options, paths)?,
            };
            metadata.clone_from(&disk.metadata);
            if let Some(base) = base {
                let layer = target.layer(&image, &base, *size)?;
                metadata.extend(base.metadata);
                layer
            } else {
                let built = target.built(&image, id, options, paths)?;
                is_built |= built.is_some();
                let backing = built.map_or_else(|| target.backing(&target.held(image)?), Ok)?;
                target.overlay(&backing, *size)?
            }
        }
        DiskKind::Empty { size } => target.empty(*size)?,
        DiskKind::File { source: FileSource::Path(path), make_a_copy: true } => {
            match target.built(path, id, options, paths)? {
                Some(built) => {
                    is_built = true;
                    target.flattened(&built)?
                }
                None => target.copy(path)?,
            }
        }
        DiskKind::File { source: FileSource::Path(path), make_a_copy: false } => {
            target.backing(path)?.path
        }
        DiskKind::File { source: FileSource::Url { url, path }, make_a_copy } => {
            target.fetched(url, path.as_deref(), *make_a_copy)?
        }
    };
    let path = require_text(path)?;
    if !is_built {
        // Nobody else stands on it.
        let built =
            sysprep::run_build(&path, &disk.build, options.acceleration.resolve(), &paths.images());
        built.map_err(|source| target.error(source))?;
    }
    let path = path.strip_prefix(paths.prefix()).map_or(path.clone(), Path::to_owned);
    let image = DiskImage { path, format: disk.format, dev: disk.dev.clone(), read_only: false };
    Ok((image, metadata))
}

/// What is in an image that is made.
pub(super) enum Content<'a> {
    /// Nothing: so many bytes.
    Empty(u64),
    /// What another image holds, which is not written to.
    Overlay { path: &'a Path, format: &'a str, size: Option<u64> },
}

/// Makes an image that only its user may read. qemu-img keeps the mode of a file that exists, and would make a readable
/// one.
pub(super) fn create_image(path: &Path, format: &str, content: &Content<'_>) -> Result<()> {
    write_file(path, b"", PRIVATE_MODE)?;
    let create = HostCommand::new("qemu-img").args(["create", "-q", "-f", format]);
    let (create, size) = match content {
        Content::Empty(size) => (create, Some(*size)),
        Content::Overlay { path, format, size } => {
            (create.args(["-F", format, "-b"]).arg(path), *size)
        }
    };
    let create = create.arg(path);
    size.into_iter().fold(create, |create, size| create.arg(size.to_string())).run()?;
    Ok(())
}

/// libvirt's descriptions and the record are text.
pub(super) fn require_text(path: PathBuf) -> Result<PathBuf, PrefixError> {
    if path.to_str().is_some() { Ok(path) } else { Err(PrefixError::NotText { path }) }
}

/// One disk that is being made.
struct Target<'a> {
    vm: &'a str,
    disk: &'a Disk,
    path: PathBuf,
}

impl Target<'_> {
    /// The same image under a name in the prefix, where one file can have two: it stays as it is when an export replaces the
    /// file. One that says itself where the rest of it is would look for that elsewhere.
    fn held(&self, image: PathBuf) -> Result<PathBuf> {
        let held = self.path.with_extension("base");
        if image == held {
            return Ok(held);
        }
        let format = ImageFormat::of_file(&image).map_err(|source| self.error(source))?;
        let link = Link::of(&image, format.as_str()).map_err(|source| self.error(source))?;
        let is_whole = link.backing_filename.is_none() && link.data_file().is_none();
        let link_it = || fs::hard_link(image.canonicalize()?, &held);
        Ok(if is_whole && link_it().is_ok() { held } else { image })
    }

    fn overlay(&self, backing: &Backing, size: Option<u64>) -> Result<PathBuf> {
        // What lies beside it is named without a directory: a copy of both, as the cache has one, stands by itself.
        let beside = backing.path.strip_prefix(self.path.parent().unwrap_or(&self.path));
        let path = beside.unwrap_or(&backing.path);
        self.create("qcow2", &Content::Overlay { path, format: backing.format.as_str(), size })
    }

    fn empty(&self, size: u64) -> Result<PathBuf> {
        self.create(self.disk.format.qemu_name(), &Content::Empty(size))
    }

    fn create(&self, format: &str, content: &Content<'_>) -> Result<PathBuf> {
        create_image(&self.path, format, content).map_err(|source| self.error(source))?;
        Ok(self.path.clone())
    }

    /// The image at a path, decompressed into the prefix if need be.
    fn image(&self, path: &Path) -> Result<PathBuf> {
        if !is_compressed(path).map_err(|source| self.error(source))? {
            return Ok(path.to_owned());
        }
        let unpacked = self.path.with_extension("base");
        unpack_file(path, &unpacked).map_err(|source| self.error(source))?;
        Ok(unpacked)
    }

    /// The template that an image of an export stands on, as its header names it. What stands on something that is there,
    /// is no such image.
    fn absent_base(
        &self,
        image: &Path,
        id: Uuid,
        options: &InitOptions,
        paths: &Paths,
    ) -> Result<Option<StoredImage>> {
        let link = match ImageFormat::of_file(image).map_err(|source| self.error(source))? {
            ImageFormat::Qcow2 => Link::of(image, "qcow2").map_err(|source| self.error(source))?,
            ImageFormat::Raw => return Ok(None),
        };
        let Some((named, whole)) = link.backing_filename.zip(link.full_backing_filename) else {
            return Ok(None);
        };
        if whole.exists() {
            return Ok(None);
        }
        let base = named_base(&named).ok_or_else(|| {
            self.error(PrefixError::NoBase { image: image.to_owned(), base: named.clone() })
        })?;
        Ok(Some(options.base(id, &base, paths.prefix())?))
    }

    /// A copy of an exported image, on the template as it is here. The image is not changed.
    fn layer(&self, image: &Path, base: &StoredImage, size: Option<u64>) -> Result<PathBuf> {
        let copied = self.copy(image)?;
        let put = || {
            rebase(&copied, &base.path, base.format.as_str())?;
            let Some(size) = size else { return Ok(()) };
            let resize = HostCommand::new("qemu-img").args(["resize", "-q", "-f", "qcow2"]);
            resize.arg(&copied).arg(size.to_string()).run()?;
            Ok::<_, crate::Error>(())
        };
        put().map_err(|source| self.error(source))?;
        Ok(copied)
    }

    /// What the `build` steps make of an image of the user's, for all prefixes. None where a layer has nothing to stand on but
    /// what is this prefix's.
    fn built(
        &self,
        image: &Path,
        id: Uuid,
        options: &InitOptions,
        paths: &Paths,
    ) -> Result<Option<Backing>> {
        let shared = !image.starts_with(paths.prefix())
            && !is_compressed(image).map_err(|source| self.error(source))?;
        if self.disk.build.is_empty() || options.store.is_none() || !shared {
            return Ok(None);
        }
        let backing = self.backing(image)?;
        let built = options.built_on_file(&backing, &self.disk.build, id, paths.prefix());
        Ok(Some(built.map_err(|source| self.error(source))?))
    }

    /// A copy of what a layer and all below it hold.
    fn flattened(&self, layer: &Backing) -> Result<PathBuf> {
        write_file(&self.path, b"", PRIVATE_MODE)?;
        HostCommand::new("qemu-img")
            .args(["convert", "-q", "-f", layer.format.as_str(), "-O"])
            .arg(self.disk.format.qemu_name())
            .args([&layer.path, &self.path])
            .limit(COPY_LIMIT)
            .run()
            .map_err(|source| self.error(source))?;
        Ok(self.path.clone())
    }

    fn copy(&self, from: &Path) -> Result<PathBuf> {
        if is_compressed(from).map_err(|source| self.error(source))? {
            unpack_file(from, &self.path).map_err(|source| self.error(source))?;
            return Ok(self.path.clone());
        }
        write_file(&self.path, b"", PRIVATE_MODE)?;
        // It keeps holes, makes new ones of zeros, and shares the blocks where the file system can.
        HostCommand::new("cp")
            .args(["--sparse=always", "--reflink=auto", "--"])
            .args([from, &self.path])
            .limit(COPY_LIMIT)
            .run()
            .map_err(|source| self.error(source))?;
        Ok(self.path.clone())
    }

    /// The file at an address: in the prefix, or where it is kept for several prefixes.
    fn fetched(&self, url: &str, kept: Option<&Path>, make_a_copy: bool) -> Result<PathBuf> {
        let place = kept.unwrap_or(&self.path);
        fetch_file(url, place).map_err(|source| self.error(source))?;
        match kept {
            None => Ok(self.path.clone()),
            Some(kept) if make_a_copy => self.copy(kept),
            Some(kept) => Ok(self.backing(kept)?.path),
        }
    }

    fn backing(&self, path: &Path) -> Result<Backing> {
        let format = ImageFormat::of_file(path).map_err(|source| self.error(source))?;
        let path = path
            .canonicalize()
            .map_err(|source| self.error(FileError::io("find", path)(source)))?;
        let path = require_text(path)?;
        Ok(Backing { path, format })
    }

    fn error(&self, source: impl Error + Send + Sync + 'static) -> PrefixError {
        PrefixError::Disk {
            vm: self.vm.to_owned(),
            disk: self.disk.name.clone(),
            source: Box::new(source),
        }
    }
}

/// The template that the header of an exported image names: `./TEMPLATE:VERSION`.
fn named_base(named: &Path) -> Option<TemplateBase> {
    let (name, version) = named.file_name()?.to_str()?.split_once(':')?;
    let (name, version) = (name.to_owned(), Some(version.to_owned()));
    Some(TemplateBase { name, version, digest: None })
}

/// The seed is the last disk on virtio, so that the letters of the others are the init file's.
pub(super) fn seed_image(paths: &Paths, vm: &str, disks: &[DiskImage]) -> DiskImage {
    let last =
        disks.iter().filter_map(|disk| letters_to_number(disk.dev.strip_prefix("vd")?)).max();
    let letters = number_to_letters(last.map_or(0, |last| last + 1));
    let path = paths.seed(vm);
    DiskImage {
        path: path.strip_prefix(paths.prefix()).unwrap_or(&path).to_owned(),
        format: DiskFormat::Raw,
        dev: format!("vd{letters}"),
        read_only: true,
    }
}

/// The position of a disk by the letters of its name: `a` is 0, `z` 25, `aa` 26.
pub(super) fn letters_to_number(letters: &str) -> Option<u32> {
    let counted = letters.bytes().try_fold(0_u32, |number, letter| {
        let digit = letter.is_ascii_lowercase().then(|| u32::from(letter - b'a'))?;
        number.checked_mul(26)?.checked_add(digit + 1)
    });
    counted?.checked_sub(1)
}

pub(super) fn number_to_letters(number: u32) -> String {
    let digit = char::from_digit(number % 26 + 10, 36).unwrap_or('a');
    let before = if number < 26 { String::new() } else { number_to_letters(number / 26 - 1) };
    format!("{before}{digit}")
}

fn extension(format: DiskFormat) -> &'static str {
    match format {
        DiskFormat::Qcow2 => "qcow2",
        DiskFormat::Iso => "iso",
        _ => "img",
    }
}

/// Removes all disks and snapshots; done when there are none.
pub(super) fn remove(paths: &Paths) -> Result<(), PrefixError> {
    let removed = |path: PathBuf, result: io::Result<()>| match result {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(PrefixError::Io { action: "remove", path, source })
        }
        _ => Ok(()),
    };
    // A prefix without images cannot be started, so a kill on the way leaves none that starts from the wrong disks.
    [paths.images(), paths.snapshots(), paths.layers(), paths.nvram_dir()]
        .into_iter()
        .try_for_each(|path| removed(path.clone(), fs::remove_dir_all(path)))?;
    removed(paths.state(), fs::remove_file(paths.state()))
}

#[cfg(test)]
mod tests;
