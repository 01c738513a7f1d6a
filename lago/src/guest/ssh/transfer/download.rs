//! Out of the guest, which may be hostile: everything is made anew inside a directory that did not exist before, so no
//! link that the guest sent is ever followed, and it is moved to its destination when it is complete.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};

use ssh2::{FileStat, FileType};
use tempfile::TempDir;

use super::remote::{Remote, file_type, permissions};
use super::{Transferred, Trouble, neither_file_nor_directory};

/// How much is asked for at once; libssh2 keeps several requests under way within it.
const CHUNK: usize = 256 * 1024;

/// The permissions that come along: nobody becomes someone else by a file from a guest.
const KEPT_PERMISSIONS: u32 = 0o777;

pub(super) fn download(
    guest: &Remote<'_>,
    remote: &Path,
    local: &Path,
) -> Result<Transferred, Trouble> {
    let stat =
        guest.stat(remote)?.ok_or_else(|| Trouble::guest(remote, "no such file or directory"))?;
    let target = destination(guest, remote, local)?;
    if file_type(&stat) == Some(FileType::Directory) && target.symlink_metadata().is_ok() {
        let error = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
        return Err(Trouble::here(&target)(error));
    }
    let parent = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let staging = TempDir::with_prefix_in(".lago-", parent).map_err(Trouble::here(parent))?;
    let staged = staging.path().join("new");

    let mut download = Download {
        guest,
        copied: Transferred::default(),
        directories: Vec::new(),
        pending: Vec::new(),
        buffer: vec![0; CHUNK],
    };
    download.entry(remote, staged.clone(), &stat)?;
    if !download.copied.skipped.is_empty() {
        return Err(Trouble::guest(remote, neither_file_nor_directory().to_string()));
    }
    while let Some((remote, local)) = download.pending.pop() {
        download.directory(&remote, &local)?;
    }
    download.publish(&staged, &target)?;
    Ok(download.copied)
}

/// Inside of a directory that exists, else exactly there.
fn destination(guest: &Remote<'_>, remote: &Path, local: &Path) -> Result<PathBuf, Trouble> {
    if !local.is_dir() {
        return Ok(local.to_owned());
    }
    let named = match remote.file_name() {
        Some(_) => remote.to_owned(),
        None => guest.real_path(remote)?,
    };
    let name = named
        .file_name()
        .ok_or_else(|| Trouble::guest(remote, "has no name; name the destination in full"))?;
    Ok(local.join(name))
}

struct Download<'a> {
    guest: &'a Remote<'a>,
    copied: Transferred,
    /// Directories that were made, with the modes they get once they are full.
    directories: Vec<(PathBuf, u32)>,
    /// Directories whose entries are still to be copied.
    pending: Vec<(PathBuf, PathBuf)>,
    buffer: Vec<u8>,
}

impl Download<'_> {
    fn entry(&mut self, remote: &Path, local: PathBuf, stat: &FileStat) -> Result<(), Trouble> {
        let mode = permissions(stat) & KEPT_PERMISSIONS;
        match file_type(stat) {
            Some(FileType::Directory) => {
                fs::DirBuilder::new().mode(0o700).create(&local).map_err(Trouble::here(&local))?;
                self.copied.directories += 1;
                self.directories.push((local.clone(), mode));
                self.pending.push((remote.to_owned(), local));
            }
            Some(FileType::RegularFile) => self.file(remote, &local, mode)?,
            Some(FileType::Symlink) => {
                let target = self.guest.read_link(remote)?;
                symlink(target, &local).map_err(Trouble::here(&local))?;
                self.copied.links += 1;
            }
            Some(_) => self.copied.skipped.push(remote.to_owned()),
            None => return Err(Trouble::guest(remote, "the guest does not say what it is")),
        }
        Ok(())
    }

    fn directory(&mut self, remote: &Path, local: &Path) -> Result<(), Trouble> {
        for (name, stat) in self.guest.list(remote)? {
            if !is_plain_name(&name) {
                return Err(Trouble::guest(
                    remote,
                    format!(
                        "the guest lists an entry {:?}, which is no name of a file",
                        name.to_string_lossy()
                    ),
                ));
            }
            self.entry(&remote.join(&name), local.join(&name), &stat)?;
        }
        Ok(())
    }

    fn file(&mut self, remote: &Path, local: &Path, mode: u32) -> Result<(), Trouble> {
        let mut from = self.guest.open(remote)?;
        let mut to = create_new(local).map_err(Trouble::here(local))?;
        loop {
            let count = self.guest.read(remote, &mut from, &mut self.buffer)?;
            if count == 0 {
                break;
            }
            to.write_all(&self.buffer[..count]).map_err(Trouble::here(local))?;
            self.copied.bytes += count as u64;
        }
        self.guest.close(remote, from)?;
        to.set_permissions(Permissions::from_mode(mode)).map_err(Trouble::here(local))?;
        self.copied.files += 1;
        Ok(())
    }

    /// Gives the directories their modes, the innermost first, and moves all of it to where it belongs. The outermost
    /// gets its mode last: a directory that may not be written cannot be moved either.
    fn publish(&self, staged: &Path, target: &Path) -> Result<(), Trouble> {
        for (path, mode) in self.directories.iter().skip(1).rev() {
            set_mode(path, *mode)?;
        }
        fs::rename(staged, target).map_err(Trouble::here(target))?;
        match self.directories.first() {
            Some((_, mode)) => set_mode(target, *mode),
            None => Ok(()),
        }
    }
}

fn create_new(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn set_mode(path: &Path, mode: u32) -> Result<(), Trouble> {
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(Trouble::here(path))
}

/// Whether a name that the guest sent stays in the directory that it is for.
fn is_plain_name(name: &Path) -> bool {
    let mut components = name.components();
    matches!(
        (components.next(), components.next()),
        (Some(Component::Normal(only)), None) if only.as_bytes() == name.as_os_str().as_bytes()
    )
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::Path;

    use super::is_plain_name;

    #[test]
    fn names_that_would_leave_the_directory_are_refused() {
        for name in ["..", ".", "", "/etc", "../x", "a/b", "a/", "./a", "a/.."] {
            assert!(!is_plain_name(Path::new(name)), "{name:?}");
        }
        for name in ["a", "...", " ", "-rf", "a\\b", "h\u{e4}"] {
            assert!(is_plain_name(Path::new(name)), "{name:?}");
        }
        assert!(is_plain_name(Path::new(OsStr::from_bytes(b"\xff\n"))));
    }
}
