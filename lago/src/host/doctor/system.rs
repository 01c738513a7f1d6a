//! The machine as the checks see it.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User};

use super::super::search_path;

/// A machine, and the user whose private hosts are in question.
#[derive(Debug, Clone)]
pub(in crate::host) struct System {
    /// Where its files are: `/`, unless a test has others.
    pub(super) root: PathBuf,
    /// Where its programs are.
    pub(super) path: OsString,
    pub(super) user: String,
    pub(super) uid: u32,
    /// Whether the user makes namespaces without a user namespace around them.
    pub(super) privileged: bool,
}

impl System {
    /// This machine, for the user of this process.
    pub(in crate::host) fn this() -> Self {
        let uid = Uid::effective();
        let name = User::from_uid(uid).ok().flatten().map(|user| user.name);
        Self {
            root: PathBuf::from("/"),
            path: search_path::with_system_directories(),
            user: name.unwrap_or_else(|| uid.to_string()),
            uid: uid.as_raw(),
            privileged: search_path::is_privileged(),
        }
    }

    /// A file of the machine, by its absolute path.
    pub(super) fn file(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The text of a file; empty when it cannot be read.
    pub(in crate::host) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.file(path)).unwrap_or_default()
    }

    /// A program of the machine.
    pub(in crate::host) fn program(&self, name: &str) -> Option<PathBuf> {
        env::split_paths(&self.path).map(|dir| dir.join(name)).find(|file| is_executable(file))
    }
}

fn is_executable(file: &Path) -> bool {
    file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
}
