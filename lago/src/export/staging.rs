//! The directory in which the files of an export are made before they are where they belong.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::ExportError;
use crate::Result;
use crate::dirlock::LOCK_FILE;
use crate::utils::{
    FileError, PRIVATE_MODE, ScratchDir, create_dir, let_through, with_rollback, write_file,
};

/// How the names of such directories begin.
const BEGINNING: &str = ".lago-export-";

/// The directory in it of what the files take the places of.
const REPLACED: &str = ".replaced";

/// A directory in the one that the files are for, so that they only have to be renamed. It is removed with this value, and
/// so is the other one, if it was made for the export and is empty.
pub(super) struct Staging {
    /// It goes before the one that it is in.
    directory: ScratchDir,
    target: Target,
}

/// Where the files are to be.
struct Target {
    path: PathBuf,
    made: bool,
}

impl Staging {
    pub(super) fn begin(target: &Path) -> Result<Self> {
        let made = !target.exists();
        create_dir(target)?;
        if made {
            // What is made of the export may run where QEMU is another user. The files are for their owner only.
            let_through(target)?;
        }
        let target = Target { path: target.to_owned(), made };
        Ok(Self { directory: ScratchDir::make(&target.path, BEGINNING)?, target })
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Refuses to replace what is no file.
    pub(super) fn require_replaceable(
        &self,
        names: impl Iterator<Item = String>,
    ) -> Result<(), ExportError> {
        for path in names.map(|name| self.target.path.join(name)) {
            if fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir()) {
                return Err(ExportError::IsDirectory { path });
            }
        }
        Ok(())
    }

    pub(super) fn write(&self, name: &str, content: &[u8]) -> Result<(), FileError> {
        write_file(&self.path().join(name), content, PRIVATE_MODE)
    }

    /// Moves all files to where they belong, the last one last, after what is there under its name has gone first. A failure
    /// takes back those that were moved, and puts back those that were there.
    pub(super) fn publish(&self, last: &str) -> Result<()> {
        let mut names = self.names().map_err(FileError::io("read", self.path()))?;
        names.sort_by_key(|name| name == last);
        let texts = names.iter().map(|name| name.to_string_lossy().into_owned());
        self.require_replaceable(texts)?;
        let replaced = self.path().join(REPLACED);
        create_dir(&replaced)?;
        with_rollback(|rollback| {
            for name in names.iter().rev() {
                let (there, aside) = (self.target.path.join(name), replaced.join(name));
                match fs::rename(&there, &aside) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    moved => moved.map_err(FileError::io("replace", &there))?,
                }
                rollback
                    .defer("put back what was exported before", move || fs::rename(aside, there));
            }
            for name in &names {
                let (from, to) = (self.path().join(name), self.target.path.join(name));
                fs::rename(&from, &to).map_err(FileError::io("write", &to))?;
                rollback.defer("remove what was exported", move || fs::remove_file(to));
            }
            Ok::<_, crate::Error>(())
        })?;
        Ok(())
    }

    fn names(&self) -> io::Result<Vec<OsString>> {
        let names = fs::read_dir(self.path())?.map(|entry| Ok(entry?.file_name()));
        let names = names.collect::<io::Result<Vec<_>>>()?;
        Ok(names.into_iter().filter(|name| name != LOCK_FILE).collect())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if self.made {
            // What was exported is in it, or somebody else's.
            let _ = fs::remove_dir(&self.path);
        }
    }
}
