//! Files that libguestfs's programs are to read. They run in the directory that holds them, so a command line has neither
//! contents nor paths in which a colon would mean something.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::sysprep::SysprepError;
use crate::utils::{FileError, PRIVATE_MODE, write_file};

/// A directory for its owner only, which goes with this value.
#[derive(Debug)]
pub(in crate::sysprep) struct Staging {
    directory: TempDir,
    count: usize,
}

impl Staging {
    pub(in crate::sysprep) fn new() -> Result<Self, SysprepError> {
        let directory = tempfile::Builder::new().prefix("lago-sysprep-").tempdir();
        let directory =
            directory.map_err(FileError::io("create a directory in", &std::env::temp_dir()))?;
        Ok(Self { directory, count: 0 })
    }

    pub(in crate::sysprep) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Adds a file with this content, and returns what it is called from the directory.
    pub(in crate::sysprep) fn add(&mut self, content: &[u8]) -> Result<String, SysprepError> {
        let (name, path) = self.next();
        write_file(&path, content, PRIVATE_MODE)?;
        Ok(name)
    }

    /// Adds a file that exists.
    pub(in crate::sysprep) fn link(&mut self, file: &Path) -> Result<String, SysprepError> {
        let (name, path) = self.next();
        let absolute = file.canonicalize().map_err(FileError::io("find", file))?;
        fs::File::open(&absolute).map_err(FileError::io("read", &absolute))?;
        symlink(&absolute, &path).map_err(FileError::io("link", &absolute))?;
        Ok(name)
    }

    fn next(&mut self) -> (String, PathBuf) {
        let name = self.count.to_string();
        self.count += 1;
        let path = self.path().join(&name);
        (name, path)
    }
}
