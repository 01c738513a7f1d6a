//! What scripts that were written for Lago look for in a prefix.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::paths::Paths;
use crate::utils::{FileError, PRIVATE_MODE, write_file};

/// Gives the keys their names, and marks the prefix as one that is there.
pub(super) fn put(paths: &Paths) -> Result<(), FileError> {
    for (name, key) in
        [(paths.ssh_id_rsa(), paths.ssh_key()), (paths.ssh_id_rsa_pub(), paths.ssh_key_pub())]
    {
        link(&name, key.strip_prefix(paths.prefix()).unwrap_or(&key))?;
    }
    mark_initialized(paths)
}

/// A prefix that can be moved has links that do not name it.
fn link(name: &PathBuf, target: &Path) -> Result<(), FileError> {
    match symlink(target, name) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(FileError::io("make the link", name)(error))
        }
        _ => Ok(()),
    }
}

/// Takes all of it away, before the prefix is made anew in its directory.
pub(super) fn remove(paths: &Paths) -> Result<(), FileError> {
    [paths.initialized(), paths.ssh_id_rsa(), paths.ssh_id_rsa_pub()]
        .iter()
        .try_for_each(remove_file)
}

pub(super) fn mark_initialized(paths: &Paths) -> Result<(), FileError> {
    let mark = paths.initialized();
    if mark.exists() { Ok(()) } else { write_file(&mark, b"", PRIVATE_MODE) }
}

pub(super) fn unmark_initialized(paths: &Paths) -> Result<(), FileError> {
    remove_file(&paths.initialized())
}

fn remove_file(path: &PathBuf) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(FileError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}
