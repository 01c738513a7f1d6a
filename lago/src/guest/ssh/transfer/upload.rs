//! Into the guest.

use std::fs::{self, File, Metadata};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ssh2::FileType;

use super::remote::{Remote, file_type};
use super::{Transferred, Trouble, neither_file_nor_directory};

/// How much is sent at once; libssh2 keeps several requests under way within it.
const CHUNK: usize = 256 * 1024;

pub(super) fn upload(
    guest: &Remote<'_>,
    local: &Path,
    remote: &Path,
) -> Result<Transferred, Trouble> {
    let metadata = fs::metadata(local).map_err(Trouble::here(local))?;
    let target = destination(guest, local, remote)?;
    let mut upload = Upload {
        guest,
        copied: Transferred::default(),
        directories: Vec::new(),
        pending: Vec::new(),
        buffer: vec![0; CHUNK],
    };
    upload.entry(local, target, &metadata)?;
    if !upload.copied.skipped.is_empty() {
        return Err(Trouble::here(local)(neither_file_nor_directory()));
    }
    while let Some((local, remote)) = upload.pending.pop() {
        upload.directory(&local, &remote)?;
    }
    upload.finish()
}

/// Inside of a directory that exists, else exactly there.
fn destination(guest: &Remote<'_>, local: &Path, remote: &Path) -> Result<PathBuf, Trouble> {
    if !guest.is_directory(remote)? {
        return Ok(remote.to_owned());
    }
    let named = match local.file_name() {
        Some(_) => local.to_owned(),
        None => fs::canonicalize(local).map_err(Trouble::here(local))?,
    };
    Ok(match named.file_name() {
        Some(name) => remote.join(name),
        None => remote.to_owned(),
    })
}

struct Upload<'a> {
    guest: &'a Remote<'a>,
    copied: Transferred,
    /// Directories that were made, with the modes they get once they are full.
    directories: Vec<(PathBuf, u32)>,
    /// Directories whose entries are still to be copied.
    pending: Vec<(PathBuf, PathBuf)>,
    buffer: Vec<u8>,
}

impl Upload<'_> {
    fn entry(&mut self, local: &Path, remote: PathBuf, metadata: &Metadata) -> Result<(), Trouble> {
        let mode = metadata.permissions().mode();
        if metadata.is_dir() {
            if !self.guest.is_directory(&remote)? {
                self.guest.make_directory(&remote)?;
            }
            self.copied.directories += 1;
            self.directories.push((remote.clone(), mode));
            self.pending.push((local.to_owned(), remote));
        } else if metadata.is_file() {
            self.file(local, &remote, mode)?;
        } else if metadata.is_symlink() {
            self.link(local, &remote)?;
        } else {
            self.copied.skipped.push(local.to_owned());
        }
        Ok(())
    }

    fn directory(&mut self, local: &Path, remote: &Path) -> Result<(), Trouble> {
        for entry in fs::read_dir(local).map_err(Trouble::here(local))? {
            let entry = entry.map_err(Trouble::here(local))?;
            let path = entry.path();
            let metadata = entry.metadata().map_err(Trouble::here(&path))?;
            self.entry(&path, remote.join(entry.file_name()), &metadata)?;
        }
        Ok(())
    }

    fn file(&mut self, local: &Path, remote: &Path, mode: u32) -> Result<(), Trouble> {
        let mut from = File::open(local).map_err(Trouble::here(local))?;
        let mut to = self.guest.create(remote)?;
        loop {
            let count = from.read(&mut self.buffer).map_err(Trouble::here(local))?;
            if count == 0 {
                break;
            }
            self.guest.write_all(remote, &mut to, &self.buffer[..count])?;
            self.copied.bytes += count as u64;
        }
        self.guest.close(remote, to)?;
        self.guest.set_permissions(remote, mode)?;
        self.copied.files += 1;
        Ok(())
    }

    fn link(&mut self, local: &Path, remote: &Path) -> Result<(), Trouble> {
        let target = fs::read_link(local).map_err(Trouble::here(local))?;
        if let Some(present) = self.guest.lstat(remote)? {
            if file_type(&present) != Some(FileType::Symlink) {
                return Err(Trouble::guest(remote, "is in the place of a symbolic link"));
            }
            self.guest.remove_file(remote)?;
        }
        self.guest.make_link(remote, &target)?;
        self.copied.links += 1;
        Ok(())
    }

    /// Gives the directories their modes, the innermost first: one may forbid what had to be done in it.
    fn finish(self) -> Result<Transferred, Trouble> {
        for (path, mode) in self.directories.iter().rev() {
            self.guest.set_permissions(path, *mode)?;
        }
        Ok(self.copied)
    }
}
