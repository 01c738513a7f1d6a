//! The guest's root, when it is ext2, ext3 or ext4. What the journal holds and the file system does not is read from
//! the journal.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use ext4_view::{Ext4, Ext4Error, Ext4Read, FileType, PathBuf as GuestPath};

use super::server::Server;
use super::{Disk, Result, partitions};
use crate::artifacts::{NOT_THERE, Wanted};
use crate::utils::Deadline;

/// How much of a file is read at once.
const CHUNK: usize = 1 << 20;

/// By these a file system is known to be a guest's root.
const MARKS: [&str; 2] = ["/etc/fstab", "/etc/os-release"];

/// A guest's root file system.
pub(super) struct Root {
    fs: Ext4,
    /// Where other file systems are mounted on it.
    mounts: BTreeSet<String>,
}

/// What there is of a disk from some byte on.
struct Partition {
    disk: Disk,
    start: u64,
}

impl Ext4Read for Partition {
    fn read(
        &mut self,
        start: u64,
        buffer: &mut [u8],
    ) -> Result<(), Box<dyn Error + Send + Sync + 'static>> {
        self.disk.seek(SeekFrom::Start(self.start + start))?;
        Ok(self.disk.read_exact(buffer)?)
    }
}

impl Root {
    /// The first root that there is on the disks. An error says what there is instead.
    pub(super) fn find(servers: &[Server]) -> Result<Self> {
        for server in servers {
            let mut disk = server.disk()?;
            let starts = partitions::starts(&mut disk)
                .map_err(|error| format!("disk {} cannot be read: {error}", server.dev))?;
            for start in starts {
                let partition = Partition { disk: disk.clone(), start };
                let Ok(fs) = Ext4::load(Box::new(partition)) else { continue };
                if MARKS.iter().any(|&mark| fs.exists(mark).unwrap_or(false)) {
                    let fstab = fs.read_to_string("/etc/fstab").unwrap_or_default();
                    return Ok(Self { fs, mounts: mounts(&fstab) });
                }
            }
        }
        Err("no disk has a root file system that is ext4".to_owned())
    }

    /// Whether all of these are on this file system, rather than on one that is mounted on it.
    pub(super) fn has_all_of(&self, wanted: &[Wanted]) -> bool {
        let is_here = |path: &str| {
            !self.mounts.iter().any(|mount| {
                Path::new(path).starts_with(mount) || Path::new(mount).starts_with(path)
            })
        };
        wanted.iter().all(|path| is_here(&path.guest))
    }

    pub(super) fn copy(&self, wanted: &Wanted, deadline: &Deadline) -> Result<()> {
        let path = GuestPath::try_from(wanted.guest.as_str())
            .map_err(|_| "it is no path in a file system".to_owned())?;
        // What is named may be a link to what is wanted.
        let path = self.fs.canonicalize(&path).map_err(|error| shown(&error))?;
        let kind = self.fs.metadata(&path).map_err(|error| shown(&error))?.file_type();
        if !kind.is_dir() && !kind.is_regular_file() {
            return Err("neither a file nor a directory".to_owned());
        }
        self.entry(&path, kind, &wanted.local, deadline)
    }

    fn entry(
        &self,
        from: &GuestPath,
        kind: FileType,
        to: &Path,
        deadline: &Deadline,
    ) -> Result<()> {
        let guest = |error: Ext4Error| format!("{}: {}", from.display(), shown(&error));
        let here = |error: std::io::Error| format!("{}: {error}", to.display());
        deadline.check().map_err(|error| error.to_string())?;
        if kind.is_regular_file() {
            return self.file(from, to, deadline);
        }
        if kind.is_symlink() {
            let target = self.fs.read_link(from).map_err(guest)?;
            let target = std::ffi::OsStr::from_bytes(target.as_ref());
            return std::os::unix::fs::symlink(target, to).map_err(here);
        }
        if !kind.is_dir() {
            // Sockets, pipes and devices have no content.
            return Ok(());
        }
        DirBuilder::new().mode(0o700).create(to).map_err(here)?;
        for entry in self.fs.read_dir(from).map_err(guest)? {
            let entry = entry.map_err(guest)?;
            let name = entry.file_name();
            // The name has no `/` in it; the library sees to that.
            if name != "." && name != ".." {
                let kind = entry.file_type().map_err(guest)?;
                let name = std::ffi::OsStr::from_bytes(name.as_ref());
                self.entry(&entry.path(), kind, &to.join(name), deadline)?;
            }
        }
        Ok(())
    }

    fn file(&self, from: &GuestPath, to: &Path, deadline: &Deadline) -> Result<()> {
        let guest = |error: Ext4Error| format!("{}: {}", from.display(), shown(&error));
        let here = |error: std::io::Error| format!("{}: {error}", to.display());
        let mut source = self.fs.open(from).map_err(guest)?;
        let mut file: fs::File =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(here)?;
        let mut chunk = vec![0; CHUNK];
        loop {
            deadline.check().map_err(|error| error.to_string())?;
            let length = source.read_bytes(&mut chunk).map_err(guest)?;
            if length == 0 {
                return Ok(());
            }
            file.write_all(&chunk[..length]).map_err(here)?;
        }
    }
}

/// An error in the words that other ways into a guest use.
fn shown(error: &Ext4Error) -> String {
    match error {
        Ext4Error::NotFound => NOT_THERE.to_owned(),
        other => other.to_string(),
    }
}

/// Where the table (`fstab(5)`) mounts file systems on the root that are on disks.
fn mounts(fstab: &str) -> BTreeSet<String> {
    let lines = fstab.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let on_disk = |source: &str| {
        let named = ["UUID=", "LABEL=", "PARTUUID=", "PARTLABEL="];
        source.starts_with("/dev/") || named.iter().any(|name| source.starts_with(name))
    };
    let mounts = lines.filter_map(|line| {
        let mut fields = line.split_whitespace();
        let (source, target) = (fields.next()?, fields.next()?);
        (on_disk(source) && target.len() > 1 && target.starts_with('/')).then(|| target.to_owned())
    });
    mounts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_disks_that_are_mounted_are_known() {
        let fstab = "# comment\nLABEL=root / ext4 defaults 0 1\nUUID=1-2  /boot/efi vfat umask=0077 0 1\n\
                     /dev/mapper/vg-var /var xfs defaults 0 0\ntmpfs /tmp tmpfs defaults 0 0\n/dev/vdb none swap sw 0 0\n";
        let found: Vec<_> = mounts(fstab).into_iter().collect();
        assert_eq!(found, ["/boot/efi", "/var"]);
    }
}
