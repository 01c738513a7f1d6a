//! Making the files of one disk.

use std::fs::{self, File};
use std::io::{self, BufReader, Write};
use std::num::NonZero;
use std::path::Path;
use std::thread;

use chrono::{DateTime, Utc};
use liblzma::stream::{Check, MtStreamBuilder};
use liblzma::write::XzEncoder;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::ExportError;
use super::plan::{Base, DiskExport, Form, HASH, METADATA, beside};
use crate::Result;
use crate::prefix::COPY_LIMIT;
use crate::prefix::chain::rebase;
use crate::utils::{FileError, HostCommand, PRIVATE_MODE, write_file, write_json};

/// xz's own default: more takes several times as long for a few hundredths.
const XZ_LEVEL: u32 = 6;

/// How much of an image is compressed by itself, so that threads can share it and readers can start in the middle: what
/// virt-builder's templates have.
const XZ_BLOCK: u64 = 16 << 20;

/// How many threads compress each of so many disks.
pub(super) fn compression_threads(disks: usize) -> u32 {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    u32::try_from(processors / disks.max(1)).unwrap_or(1).max(1)
}

/// Makes the files in a directory.
pub(super) fn export(disk: &DiskExport, directory: &Path, threads: u32) -> Result<()> {
    let _span = tracing::info_span!("disk", vm = disk.vm, name = disk.name()).entered();
    make(disk, directory, threads).map_err(|source| {
        let source = Box::new(source);
        ExportError::Disk { vm: disk.vm.clone(), disk: disk.name().to_owned(), source }.into()
    })
}

fn make(disk: &DiskExport, directory: &Path, threads: u32) -> Result<()> {
    let image = directory.join(disk.image_name());
    // For its owner only, whatever the program that writes it would have it be.
    write_file(&image, b"", PRIVATE_MODE)?;
    match &disk.form {
        Form::Cd => copy(&disk.source, &image)?,
        Form::Raw => convert(disk, "raw", &image)?,
        Form::Standalone => convert(disk, "qcow2", &image)?,
        Form::Layered(base) => layer(disk, base, &image)?,
    }
    let digest = digest(&image)?;
    write_file(&directory.join(beside(&disk.image_name(), HASH)), digest.as_bytes(), PRIVATE_MODE)?;
    write_metadata(disk, &image, &digest, directory)?;
    if disk.compressed {
        compress(&image, &directory.join(disk.file_name()), threads)?;
        fs::remove_file(&image).map_err(FileError::io("remove", &image))?;
    }
    let file = directory.join(disk.file_name());
    let synced = File::open(&file).and_then(|file| file.sync_all());
    Ok(synced.map_err(FileError::io("write", &file))?)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    HostCommand::new("cp")
        .args(["--sparse=always", "--reflink=auto", "--"])
        .args([from, to])
        .limit(COPY_LIMIT)
        .run()?;
    Ok(())
}

/// Writes the content of a disk with all that it stands on. Zeros become holes.
fn convert(disk: &DiskExport, format: &str, to: &Path) -> Result<()> {
    HostCommand::new("qemu-img")
        .args(["convert", "-q", "-f", disk.source_format, "-O", format])
        .args([&disk.source, to])
        .limit(COPY_LIMIT)
        .run()?;
    Ok(())
}

/// Writes what of a disk differs from its template: an overlay on the disk is put on the template instead, which copies what
/// is between the two. Only then it names the template as another machine knows it.
fn layer(disk: &DiskExport, base: &Base, to: &Path) -> Result<()> {
    HostCommand::new("qemu-img")
        .args(["create", "-q", "-f", "qcow2", "-F", disk.source_format, "-b"])
        .args([&disk.source, to])
        .run()?;
    let format = base.image.format.as_str();
    HostCommand::new("qemu-img")
        .args(["rebase", "-q", "-f", "qcow2", "-F", format, "-b"])
        .args([&base.image.path, to])
        .limit(COPY_LIMIT)
        .run()?;
    rebase(to, &Path::new(".").join(base.name()), format)
}

fn digest(path: &Path) -> Result<String, FileError> {
    let hash = || {
        let mut hasher = Sha256::new();
        io::copy(&mut BufReader::with_capacity(1 << 20, File::open(path)?), &mut hasher)?;
        Ok(format!("{:x}", hasher.finalize()))
    };
    hash().map_err(FileError::io("read", path))
}

fn write_metadata(
    disk: &DiskExport,
    image: &Path,
    digest: &str,
    directory: &Path,
) -> Result<(), FileError> {
    let size = fs::metadata(image).map_err(FileError::io("look at", image))?.len();
    let mut metadata = disk.metadata.clone();
    let base = match &disk.form {
        Form::Layered(base) => json!(base.name()),
        _ => json!(null),
    };
    let now: DateTime<Utc> = Utc::now();
    for (key, value) in [
        ("name", json!(disk.image_name())),
        ("size", json!(size)),
        ("version", json!(now.format("%Y%m%d.0").to_string())),
        ("sha256", json!(digest)),
        ("base", base),
    ] {
        metadata.insert(key.to_owned(), value);
    }
    write_json(&directory.join(beside(&disk.image_name(), METADATA)), &metadata)
}

fn compress(from: &Path, to: &Path, threads: u32) -> Result<()> {
    write_file(to, b"", PRIVATE_MODE)?;
    let compress = || {
        let stream = MtStreamBuilder::new()
            .preset(XZ_LEVEL)
            .check(Check::Crc64)
            .block_size(XZ_BLOCK)
            .threads(threads)
            .encoder()?;
        let target = File::options().write(true).open(to)?;
        let mut encoder = XzEncoder::new_stream(target, stream);
        io::copy(&mut File::open(from)?, &mut encoder)?;
        encoder.finish()?.flush()
    };
    Ok(compress().map_err(FileError::io("write", to))?)
}
