//! What kind of file an image is.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::utils::FileError;

/// The format of a stored image, as QEMU calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageFormat {
    /// The bytes of the disk.
    Raw,
    /// QEMU's own format.
    Qcow2,
}

impl ImageFormat {
    /// QEMU's name for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
        }
    }

    /// The format of the user's own image `path`, which may depend on others: qcow2 by its magic number, else raw.
    pub fn of_file(path: &Path) -> Result<Self, FileError> {
        let mut magic = Vec::with_capacity(QCOW2_MAGIC.len());
        File::open(path)
            .and_then(|file| file.take(QCOW2_MAGIC.len() as u64).read_to_end(&mut magic))
            .map_err(FileError::io("read", path))?;
        Ok(if magic == QCOW2_MAGIC { Self::Qcow2 } else { Self::Raw })
    }
}

/// Formats that would start as if they were raw, and then not boot. Compressed images have been decompressed before.
const UNUSABLE: [(&[u8], &str); 8] = [
    (b"\xfd7zXZ\0", "is compressed with xz twice over; decompress it with `unxz`"),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd twice over; decompress it with `unzstd`"),
    (b"\x1f\x8b", "is compressed with gzip twice over; decompress it with `gunzip`"),
    (
        b"BZh",
        "is compressed with bzip2, which lago does not read; repack it with `bunzip2` and `xz`",
    ),
    (b"KDMV", "is in the format vmdk; convert it with `qemu-img convert -O qcow2`"),
    (b"vhdxfile", "is in the format vhdx; convert it with `qemu-img convert -O qcow2`"),
    (b"<<< Oracle VM", "is in the format vdi; convert it with `qemu-img convert -O qcow2`"),
    (b"<!DOCTYPE", "is a web page; look at where it comes from"),
];

const QCOW2_MAGIC: &[u8] = b"QFI\xfb";

/// The part of a file that says what it is: qcow2's header up to its incompatible features.
const HEADER_SIZE: usize = 80;

/// Qcow2's incompatible feature "the data are in another file".
const EXTERNAL_DATA: u64 = 1 << 2;

/// The format of the image `path`, or why it cannot be a VM's disk.
pub(crate) fn inspect(path: &Path) -> io::Result<Result<ImageFormat, String>> {
    Ok(format_of(&header(path)?))
}

/// Why the image `path` cannot be made an overlay on another one by a new name in its header, if it cannot.
pub(crate) fn inspect_overlay(path: &Path) -> io::Result<Result<(), String>> {
    let header = header(path)?;
    if header.starts_with(QCOW2_MAGIC) && !has_external_data(&header) {
        return Ok(Ok(()));
    }
    Ok(Err("is no qcow2 image, or has its data in another file".to_owned()))
}

fn header(path: &Path) -> io::Result<Vec<u8>> {
    let mut header = Vec::with_capacity(HEADER_SIZE);
    File::open(path)?.take(HEADER_SIZE as u64).read_to_end(&mut header)?;
    Ok(header)
}

fn format_of(header: &[u8]) -> Result<ImageFormat, String> {
    if header.is_empty() {
        return Err("is empty".to_owned());
    }
    if let Some((_, reason)) = UNUSABLE.iter().find(|(magic, _)| header.starts_with(magic)) {
        return Err((*reason).to_owned());
    }
    if !header.starts_with(QCOW2_MAGIC) {
        return Ok(ImageFormat::Raw);
    }
    // Either would make a guest read any file of this machine that the image names.
    if number(header, 8) != Some(0) || has_external_data(header) {
        return Err("depends on another file (or has a damaged qcow2 header); \
             make it independent with `qemu-img convert -O qcow2`"
            .to_owned());
    }
    Ok(ImageFormat::Qcow2)
}

/// Whether the data are in another file, or may be.
fn has_external_data(header: &[u8]) -> bool {
    match version(header) {
        Some(2) => false,
        Some(3) => number(header, 72).is_none_or(|features| features & EXTERNAL_DATA != 0),
        _ => true,
    }
}

fn version(header: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(header.get(4..8)?.try_into().ok()?))
}

fn number(header: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_be_bytes(header.get(offset..offset + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::utils::HostCommand;

    fn qemu_img(dir: &Path, args: &[&str]) {
        HostCommand::new("qemu-img").args(args).current_dir(dir).run().unwrap();
    }

    #[test]
    fn images_that_qemu_makes_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        qemu_img(dir, &["create", "-q", "-f", "raw", "raw", "1M"]);
        qemu_img(dir, &["create", "-q", "-f", "qcow2", "v3", "1M"]);
        qemu_img(dir, &["create", "-q", "-f", "qcow2", "-o", "compat=0.10", "v2", "1M"]);
        qemu_img(dir, &["create", "-q", "-f", "qcow2", "-b", "v3", "-F", "qcow2", "overlay"]);
        qemu_img(dir, &["create", "-q", "-f", "qcow2", "-o", "data_file=data", "external", "1M"]);
        qemu_img(dir, &["create", "-q", "-f", "vmdk", "vmdk", "1M"]);
        let format = |name: &str| inspect(&dir.join(name)).unwrap();
        assert_eq!(format("raw"), Ok(ImageFormat::Raw));
        assert_eq!(format("v3"), Ok(ImageFormat::Qcow2));
        assert_eq!(format("v2"), Ok(ImageFormat::Qcow2));
        let overlay = |name: &str| inspect_overlay(&dir.join(name)).unwrap().is_ok();
        assert!(overlay("overlay") && overlay("v2") && !overlay("external") && !overlay("raw"));
        assert!(format("overlay").unwrap_err().contains("another file"));
        assert!(format("external").unwrap_err().contains("another file"));
        assert!(format("vmdk").unwrap_err().contains("vmdk"));
    }

    #[test]
    fn what_cannot_boot_is_said() {
        assert!(format_of(b"").unwrap_err().contains("empty"));
        assert!(format_of(b"\x1f\x8b\x08\0\0").unwrap_err().contains("gunzip"));
        assert!(format_of(b"QFI\xfb\0\0\0\x03").unwrap_err().contains("damaged"));
    }
}
