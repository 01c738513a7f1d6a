//! Who has a lease, and whether that prefix is still there.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::LeaseError;
use crate::dirlock;
use crate::paths::Paths;

/// A prefix as the owner of leases: its directory, and the UUID in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    prefix: PathBuf,
    id: Uuid,
}

impl Owner {
    /// The prefix in this directory, which may still be on its way.
    ///
    /// # Errors
    /// When there is no UUID in the directory.
    pub fn of(prefix: &Path) -> Result<Self, LeaseError> {
        let no_owner = |reason: String| LeaseError::NoOwner { path: prefix.to_owned(), reason };
        let (path, id) = look(prefix).map_err(|error| no_owner(error.to_string()))?;
        let id = id.trim().parse().map_err(|error: uuid::Error| no_owner(error.to_string()))?;
        Ok(Self { prefix: path, id })
    }

    /// The prefix's directory.
    pub fn prefix(&self) -> &Path {
        &self.prefix
    }

    /// Whether the prefix is there: a whole one, or one that a living process is making. What cannot be told, as of
    /// another user's prefix, counts as there.
    pub fn is_there(&self) -> bool {
        let paths = Paths::new(&self.prefix);
        match fs::read_to_string(paths.uuid()) {
            Ok(id) if id.trim().parse() == Ok(self.id) => {
                paths.is_prefix() || dirlock::is_locked(&self.prefix).unwrap_or(true)
            }
            Ok(_) => false,
            Err(error) => {
                !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
            }
        }
    }
}

/// The one path by which every process knows a prefix, and what is in its UUID's file.
fn look(prefix: &Path) -> io::Result<(PathBuf, String)> {
    let prefix = prefix.canonicalize()?;
    let id = fs::read_to_string(Paths::new(&prefix).uuid())?;
    Ok((prefix, id))
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.prefix.display())
    }
}
