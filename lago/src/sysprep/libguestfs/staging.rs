//! Files that libguestfs's programs are to read. They run in the directory that holds them, so a command line has neither
//! contents nor paths in which a colon would mean something.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::sysprep::SysprepError;
use crate::utils::{FileError, PRIVATE_MODE, ScratchDir, write_file};

/// How the names of such directories begin.
pub(crate) const STAGING: &str = ".lago-sysprep-";

/// A directory for its owner only, which goes with this value. It holds keys and passwords, so it is where it is found again
/// when this process is killed: a half prefix goes as a whole, and so does what is beside a disk when the next one is changed
/// there.
#[derive(Debug)]
pub(in crate::sysprep) struct Staging {
    directory: ScratchDir,
    count: usize,
}

impl Staging {
    /// A directory in `parent`.
    pub(in crate::sysprep) fn new_in(parent: &Path) -> Result<Self, SysprepError> {
        Ok(Self { directory: ScratchDir::make(parent, STAGING)?, count: 0 })
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
