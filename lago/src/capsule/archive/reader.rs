//! Reading a capsule, in which nothing is believed before it was checked.

use std::cell::RefCell;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tar::{Archive, Entries, Entry, EntryType};

use super::WINDOW_LOG;
use super::sums::Sums;
use crate::Result;
use crate::capsule::CapsuleError;
use crate::capsule::manifest::{CAPSULE_FORMAT, FileEntry, MANIFEST, Manifest, SUMS};
use crate::utils::FileError;

/// More than any manifest has: one with a hundred thousand files of long names.
const LARGEST_MANIFEST: u64 = 256 << 20;

/// More than any file's path has, with the zero at its end.
const LONGEST_NAME: u64 = 4096;

/// What zstd's files begin with.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The most zeros that may follow the last member: tar fills its last record with them.
const LONGEST_END: u64 = 64 << 10;

/// The archive's bytes. What reads the members has to be able to read what follows them as well.
#[derive(Clone)]
struct Bytes(Rc<RefCell<zstd::Decoder<'static, BufReader<File>>>>);

impl Read for Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().read(buffer)
    }
}

/// Opens a capsule and hands what it says about itself to `work`, with the files that follow.
pub(in crate::capsule) fn read<T>(
    path: &Path,
    work: impl FnOnce(Manifest, Members<'_>) -> Result<T>,
) -> Result<T> {
    let mut file = File::open(path).map_err(FileError::io("open", path))?;
    require_magic(&mut file, path)?;
    let file = File::open(path).map_err(FileError::io("open", path))?;
    let mut decoder = zstd::Decoder::new(file).map_err(FileError::io("read", path))?;
    decoder.window_log_max(WINDOW_LOG).map_err(FileError::io("read", path))?;
    let bytes = Bytes(Rc::new(RefCell::new(decoder)));
    let mut archive = Archive::new(bytes.clone());
    let entries = archive.entries().map_err(FileError::io("read", path))?.raw(true);
    let mut members = Members { path, entries, bytes, sums: Sums::default() };
    let manifest = members.manifest()?;
    work(manifest, members)
}

fn require_magic(file: &mut File, path: &Path) -> Result<()> {
    let mut magic = Vec::new();
    file.take(ZSTD_MAGIC.len() as u64)
        .read_to_end(&mut magic)
        .map_err(FileError::io("read", path))?;
    if magic == ZSTD_MAGIC {
        return Ok(());
    }
    let reason = "it does not begin as a file of zstd does".to_owned();
    Err(CapsuleError::NotACapsule { path: path.to_owned(), reason }.into())
}

/// The members of an archive that have not been read yet.
pub(in crate::capsule) struct Members<'a> {
    path: &'a Path,
    entries: Entries<'a, Bytes>,
    bytes: Bytes,
    sums: Sums,
}

/// One member, of which the header has been read.
pub(in crate::capsule) struct Member<'m, 'a> {
    members: &'m mut Members<'a>,
    name: String,
    entry: Entry<'a, Bytes>,
    left: u64,
    sum: Sha256,
}

impl<'a> Members<'a> {
    /// Begins to read the next member, which must be this file.
    pub(in crate::capsule) fn begin(&mut self, expected: &FileEntry) -> Result<Member<'_, 'a>> {
        let name = expected.path.to_string_lossy().into_owned();
        let length = expected.length();
        let (found, entry) = self.header()?;
        if found != name || entry.size() != length {
            let reason = format!(
                "{name} of {length} bytes should follow in it, and {} of {} bytes does",
                found.escape_debug(),
                entry.size()
            );
            return Err(self.refused(reason).into());
        }
        Ok(Member { members: self, name, entry, left: length, sum: Sha256::new() })
    }

    /// Reads what follows the files, and finds out whether all of it has come as it was written.
    pub(in crate::capsule) fn finish(mut self) -> Result<()> {
        let (name, entry) = self.header()?;
        if name != SUMS {
            let reason = format!("it has a member {} too many", name.escape_debug());
            return Err(self.refused(reason).into());
        }
        let expected = self.sums.as_str().as_bytes();
        let mut sums = Vec::new();
        entry
            .take(expected.len() as u64 + 1)
            .read_to_end(&mut sums)
            .map_err(|error| self.damaged(&error))?;
        if sums != expected {
            return Err(self.damaged(&"what has come is not what was saved").into());
        }
        self.require_end()
    }

    /// The end of the archive is blocks of zeros, and the end of the file has the checksum of all of it.
    fn require_end(mut self) -> Result<()> {
        let follows = |members: &Self| members.refused("something follows its sums".to_owned());
        match self.entries.next() {
            None => {}
            Some(Ok(_)) => return Err(follows(&self).into()),
            Some(Err(error)) => return Err(self.damaged(&error).into()),
        }
        let mut end = Vec::new();
        let read = self.bytes.clone().take(LONGEST_END + 1).read_to_end(&mut end);
        match read {
            Err(error) => Err(self.damaged(&error).into()),
            Ok(count) if count as u64 > LONGEST_END || end.iter().any(|byte| *byte != 0) => {
                Err(follows(&self).into())
            }
            Ok(_) => Ok(()),
        }
    }

    fn manifest(&mut self) -> Result<Manifest> {
        let path = self.path;
        let no_capsule =
            |reason: String| CapsuleError::NotACapsule { path: path.to_owned(), reason };
        let (name, mut entry) = self.header()?;
        if name != MANIFEST {
            return Err(no_capsule(format!("it does not begin with {MANIFEST}")).into());
        }
        let mut text = Vec::new();
        (&mut entry)
            .take(LARGEST_MANIFEST)
            .read_to_end(&mut text)
            .map_err(|error| self.damaged(&error))?;
        if entry.size() != text.len() as u64 {
            return Err(self.refused(format!("its {MANIFEST} is too large")).into());
        }
        let mut sum = Sha256::new();
        sum.update(&text);
        self.sums.add(MANIFEST, sum);
        let known: Result<Known, _> = serde_json::from_slice(&text);
        let known = known.map_err(|error| no_capsule(format!("its {MANIFEST}: {error}")))?;
        if known.format > CAPSULE_FORMAT {
            let path = path.to_owned();
            return Err(CapsuleError::TooNew { path, lago: known.lago }.into());
        }
        let manifest: Manifest = serde_json::from_slice(&text)
            .map_err(|error| self.refused(format!("its {MANIFEST} is not understood: {error}")))?;
        manifest.check().map_err(|reason| self.refused(reason))?;
        Ok(manifest)
    }

    /// The next member's name, and the member.
    ///
    /// Of all the kinds of members that tar knows, only regular files are read, and the name of one that is too long for
    /// its header: no link, no device, no directory, and nothing that tar has a file of another size or name by.
    fn header(&mut self) -> Result<(String, Entry<'a, Bytes>)> {
        let mut long_name = None;
        loop {
            let mut entry = match self.entries.next() {
                Some(Ok(entry)) => entry,
                Some(Err(error)) => return Err(self.damaged(&error).into()),
                None => return Err(self.damaged(&"it ends before all of it has come").into()),
            };
            let kind = entry.header().entry_type();
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            match (kind, &long_name) {
                (EntryType::Regular, _) => return Ok((long_name.unwrap_or(name), entry)),
                (EntryType::GNULongName, None) if entry.size() <= LONGEST_NAME => {
                    let mut bytes = Vec::new();
                    entry.read_to_end(&mut bytes).map_err(|error| self.damaged(&error))?;
                    let text = String::from_utf8_lossy(&bytes);
                    long_name = Some(text.trim_end_matches('\0').to_owned());
                }
                _ => {
                    let reason = format!("its member {} is no regular file", name.escape_debug());
                    return Err(self.refused(reason).into());
                }
            }
        }
    }

    fn damaged(&self, reason: &dyn Display) -> CapsuleError {
        CapsuleError::Damaged { path: self.path.to_owned(), reason: reason.to_string() }
    }

    fn refused(&self, reason: String) -> CapsuleError {
        CapsuleError::Refused { path: self.path.to_owned(), reason }
    }
}

impl Member<'_, '_> {
    /// Reads the next bytes; none at the end of the member.
    pub(in crate::capsule) fn read<'b>(&mut self, buffer: &'b mut [u8]) -> Result<&'b [u8]> {
        let count = self.entry.read(buffer).map_err(|error| self.members.damaged(&error))?;
        if count == 0 && self.left > 0 {
            return Err(self.members.damaged(&"it ends within a file").into());
        }
        self.left -= count as u64;
        self.sum.update(&buffer[..count]);
        Ok(&buffer[..count])
    }

    /// Takes note of what has been read; all of it has.
    pub(in crate::capsule) fn finish(self) {
        self.members.sums.add(&self.name, self.sum);
    }
}

/// The part of a manifest that every version writes alike.
#[derive(Deserialize)]
struct Known {
    format: u32,
    lago: String,
}
