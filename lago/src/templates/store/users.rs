//! Who uses an image.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::paths::Paths;
use crate::utils::{FileError, read_json, write_json};

/// The prefixes that use an image. One that is gone, or another by now, does not count: that makes up for prefixes that
/// were removed by other means than `lago destroy`.
///
/// A fork stands on the prefix that it was made from, which is not removed before it, so that one counts for both. An
/// entry of the cache of environments is a prefix with an identity of its own.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Users {
    users: BTreeMap<Uuid, PathBuf>,
    /// When a prefix last asked for it, in seconds since 1970.
    last_access: u64,
}

impl Users {
    pub(super) fn read(file: &Path) -> Result<Self, FileError> {
        match read_json(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            users => users,
        }
    }

    /// Adds the prefix with this UUID in the directory `prefix`, and forgets those that are gone.
    pub(super) fn add(file: &Path, uuid: Uuid, prefix: &Path) -> Result<(), FileError> {
        let mut users = Self::read(file)?;
        users.users.retain(|uuid, prefix| is_prefix(prefix, *uuid));
        users.users.insert(uuid, prefix.to_owned());
        users.last_access =
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        write_json(file, &users)
    }

    /// The prefixes that still exist.
    pub(super) fn existing(self) -> Vec<PathBuf> {
        let users = self.users.into_iter();
        users.filter(|(uuid, prefix)| is_prefix(prefix, *uuid)).map(|user| user.1).collect()
    }

    /// When a prefix last asked for the image, if one ever did.
    pub(super) fn last_access(&self) -> Option<SystemTime> {
        (self.last_access > 0).then(|| UNIX_EPOCH + Duration::from_secs(self.last_access))
    }
}

/// Whether the prefix with this UUID is (still) in the directory `prefix`.
fn is_prefix(prefix: &Path, uuid: Uuid) -> bool {
    let stored = fs::read_to_string(Paths::new(prefix).uuid());
    stored.is_ok_and(|text| text.trim().parse() == Ok(uuid))
}
