//! The file that a capsule becomes, which is there completely or not at all.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::{CapsuleError, EXTENSION};
use crate::Result;
use crate::utils::{FileError, PRIVATE_MODE};

/// What the name of a capsule ends with, after that of the whole one, while it is being written.
const PARTIAL: &str = ".part";

/// `O_NOFOLLOW`, as the standard library takes it.
const NO_LINK: i32 = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();

/// A capsule that is being written. What killed processes left of others in its directory is removed by the next.
pub(super) struct Target {
    file: File,
    partial: PathBuf,
    path: PathBuf,
    is_complete: bool,
}

impl Target {
    /// Begins the file, for its owner only.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let mut partial = path.as_os_str().to_owned();
        partial.push(PARTIAL);
        let partial = PathBuf::from(partial);
        if let Err(error) = sweep(path) {
            tracing::warn!("what is left of other capsules cannot be removed: {error}");
        }
        match begin(&partial).map_err(FileError::io("write", &partial))? {
            Some(file) => Ok(Self { file, partial, path: path.to_owned(), is_complete: false }),
            None => Err(CapsuleError::Busy { path: path.to_owned() }.into()),
        }
    }

    /// The file that it becomes.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the bytes go.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Makes the file what it is to be, and returns its size.
    pub(super) fn complete(mut self) -> Result<u64, FileError> {
        let complete = || {
            self.file.sync_all()?;
            fs::rename(&self.partial, &self.path)?;
            self.file.metadata()
        };
        let size = complete().map_err(FileError::io("write", &self.path))?.len();
        self.is_complete = true;
        Ok(size)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if !self.is_complete
            && let Err(error) = fs::remove_file(&self.partial)
        {
            tracing::warn!("cannot remove {}: {error}", self.partial.display());
        }
    }
}

/// Removes the beginnings of capsules in a directory that nobody goes on with. They hold keys and memory.
fn sweep(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|at| !at.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let ending = format!(".{EXTENSION}{PARTIAL}");
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().ends_with(ending.as_bytes())
            && entry.file_type()?.is_file()
            && begin(&entry.path())?.is_some()
        {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Opens the file and takes it for this process, unless another one has it.
fn begin(path: &Path) -> io::Result<Option<File>> {
    loop {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(PRIVATE_MODE)
            // A link that somebody put there would have another file be written over.
            .custom_flags(NO_LINK)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Its last owner may have completed it meanwhile: then this is a whole capsule by another name.
        if is_at(&file, path)? {
            file.set_permissions(Permissions::from_mode(PRIVATE_MODE))?;
            file.set_len(0)?;
            return Ok(Some(file));
        }
    }
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (open.dev(), open.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::Error;

    fn files(dir: &Path) -> Vec<String> {
        let names = fs::read_dir(dir).unwrap();
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_is_there_when_it_is_complete_and_replaces_what_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.lago-capsule");
        fs::write(&path, "old").unwrap();
        drop(Target::create(&path).unwrap());
        assert_eq!((fs::read(&path).unwrap(), files(dir.path()).len()), (b"old".to_vec(), 1));

        for left in ["x.lago-capsule.part", "earlier.lago-capsule.part"] {
            fs::write(dir.path().join(left), "left by a killed process").unwrap();
        }
        let target = Target::create(&path).unwrap();
        target.file().write_all(b"new").unwrap();
        assert!(matches!(
            Target::create(&path).err().unwrap(),
            Error::Capsule(CapsuleError::Busy { .. })
        ));
        assert_eq!(target.complete().unwrap(), 3);
        assert_eq!((fs::read(&path).unwrap(), files(dir.path()).len()), (b"new".to_vec(), 1));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    }

    #[test]
    fn a_link_in_its_place_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let other = dir.path().join("other");
        fs::write(&other, "kept").unwrap();
        std::os::unix::fs::symlink(&other, dir.path().join("x.part")).unwrap();
        Target::create(&dir.path().join("x")).err().unwrap();
        assert_eq!(fs::read(&other).unwrap(), b"kept");
    }
}
