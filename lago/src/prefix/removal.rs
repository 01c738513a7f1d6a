//! Removing a prefix's directory, so that a process which is killed meanwhile leaves what is known as half a prefix.

use std::fs;
use std::io;

use super::PrefixError;
use crate::paths::Paths;

/// Removes the directory and all that is in it.
///
/// The mark of a half prefix comes first and goes last.
pub(crate) fn remove(paths: &Paths) -> Result<(), PrefixError> {
    mark(paths)?;
    clear(paths)?;
    fs::remove_dir_all(paths.prefix()).map_err(|source| error("remove", paths, source))
}

/// Makes a prefix a half one. Its record becomes the mark, which needs no room on a disk that is full.
pub(super) fn mark(paths: &Paths) -> Result<(), PrefixError> {
    match fs::rename(paths.record(), paths.unfinished()) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(error("remove", paths, source))
        }
        _ => Ok(()),
    }
}

/// Removes everything but the lock and the mark of a half prefix.
pub(super) fn clear(paths: &Paths) -> Result<(), PrefixError> {
    remove_content(paths).map_err(|source| error("clear", paths, source))
}

fn remove_content(paths: &Paths) -> io::Result<()> {
    for entry in fs::read_dir(paths.prefix())? {
        let entry = entry?;
        if entry.path() == paths.lock() || entry.path() == paths.unfinished() {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn error(action: &'static str, paths: &Paths, source: io::Error) -> PrefixError {
    PrefixError::Io { action, path: paths.prefix().to_owned(), source }
}
