//! Directories for what is in the making, which are known and removed again when their process was killed.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::files::FileError;
use crate::dirlock::{self, DirLock, LockError, Mode};

/// How the name of one begins that is not locked yet. Nobody removes it: nothing is in it.
const NEW: &str = ".lago-new-";

/// The mode of one; that of other temporary directories lets everybody in.
const PRIVATE_DIR: u32 = 0o700;

/// A directory for its owner only, which is removed with this value.
#[derive(Debug)]
pub(crate) struct ScratchDir {
    path: PathBuf,
    /// Tells others that somebody works in it.
    _lock: DirLock,
}

impl ScratchDir {
    /// Makes a directory in `parent`, whose name begins with `beginning`, and removes those that killed processes have left
    /// there.
    pub(crate) fn make(parent: &Path, beginning: &str) -> Result<Self, LockError> {
        if let Err(error) = sweep(parent, beginning) {
            tracing::warn!("what killed processes have left cannot be removed: {error}");
        }
        let error = || FileError::io("make a directory in", parent);
        let mut builder = tempfile::Builder::new();
        let new = builder.prefix(NEW).permissions(Permissions::from_mode(PRIVATE_DIR));
        let new = new.tempdir_in(parent).map_err(error())?;
        let lock = dirlock::try_lock(new.path(), Mode::Exclusive)?;
        let lock = lock.expect("nobody looks at directories of this name");
        // Whoever sweeps sees it from here on, and it is locked.
        let path = renamed(new, parent, beginning).map_err(error())?;
        Ok(Self { path, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Gives the directory a name that begins with `beginning`. The random rest of its name is free there as well.
fn renamed(new: TempDir, parent: &Path, beginning: &str) -> io::Result<PathBuf> {
    let name = new.path().file_name().unwrap_or_default().to_string_lossy();
    let path = parent.join(name.replacen(NEW, beginning, 1));
    fs::rename(new.path(), &path)?;
    // Its old name is gone.
    let _ = new.keep();
    Ok(path)
}

impl Drop for ScratchDir {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!("cannot remove {}: {error}", self.path.display());
        }
    }
}

/// Removes the directories in `parent` whose names begin with `beginning` and whose processes were killed.
pub(crate) fn sweep(parent: &Path, beginning: &str) -> Result<(), LockError> {
    let entries = fs::read_dir(parent).map_err(FileError::io("read", parent))?;
    for entry in entries.flatten() {
        let path = entry.path();
        let is_one = entry.file_name().to_string_lossy().starts_with(beginning) && path.is_dir();
        if is_one && is_left(&path)? {
            match fs::remove_dir_all(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(FileError::io("remove", &path)(error).into());
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Whether nobody works in the directory. It may go at any moment.
fn is_left(path: &Path) -> Result<bool, LockError> {
    match dirlock::try_lock(path, Mode::Exclusive) {
        Ok(lock) => Ok(lock.is_some()),
        Err(LockError::File(error)) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn it_is_private_and_goes_with_its_value() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = ScratchDir::make(parent.path(), ".lago-test-").unwrap();
        let mode = fs::metadata(scratch.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert!(scratch.path().starts_with(parent.path()));
        drop(scratch);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_process_left_goes_and_what_others_work_in_stays() {
        let parent = tempfile::tempdir().unwrap();
        let left = parent.path().join(".lago-test-left");
        fs::create_dir(&left).unwrap();
        fs::write(left.join("secret"), "s").unwrap();
        let other = parent.path().join("other");
        fs::create_dir(&other).unwrap();
        let working = ScratchDir::make(parent.path(), ".lago-test-").unwrap();
        assert!(!left.exists() && other.exists());
        sweep(parent.path(), ".lago-test-").unwrap();
        assert!(working.path().exists());
    }

    #[test]
    fn many_at_once_do_not_remove_each_others() {
        let parent = tempfile::tempdir().unwrap();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let scratch = ScratchDir::make(parent.path(), ".lago-test-").unwrap();
                        fs::write(scratch.path().join("file"), "x").unwrap();
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
