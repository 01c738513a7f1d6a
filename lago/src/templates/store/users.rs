//! Who uses an image.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::paths::Paths;
use crate::utils::{FileError, read_json, write_json};

/// The prefixes that use an image. One that is gone, or another by now, does not count: that makes up for prefixes that
/// were removed by other means than `lago destroy`.
///
/// One that was moved still counts, though nobody says where to: the store has a second name, a hard link, for the file with
/// the prefix's UUID, and that file has two names as long as the prefix has it. On another file system there are no such links,
/// and there is only the place where the prefix was.
///
/// A fork stands on the prefix that it was made from, which is not removed before it, so that one counts for both. An
/// entry of the cache of environments is a prefix with an identity of its own.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Users {
    #[serde(rename = "users")]
    prefixes: BTreeMap<Uuid, PathBuf>,
    /// When a prefix last asked for it, in seconds since 1970.
    last_access: u64,
    /// The store.
    #[serde(skip)]
    store: PathBuf,
}

/// The extension of the links in the store, behind the prefix's UUID.
const LINK: &str = "prefix";

impl Users {
    pub(super) fn read(file: &Path) -> Result<Self, FileError> {
        let users = match read_json(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            users => users,
        };
        let store = file.parent().unwrap_or(Path::new(".")).to_owned();
        users.map(|users: Self| Self { store, ..users })
    }

    /// Adds the prefix with this UUID in the directory `prefix`, and forgets those that are gone.
    pub(super) fn add(file: &Path, uuid: Uuid, prefix: &Path) -> Result<(), FileError> {
        let mut users = Self::read(file)?;
        let store = &users.store;
        users.prefixes.retain(|uuid, prefix| is_prefix(prefix, *uuid) || is_linked(store, *uuid));
        users.prefixes.insert(uuid, prefix.to_owned());
        link(store, uuid, prefix);
        users.last_access =
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        write_json(file, &users)
    }

    /// The prefixes that still exist, each where it was when it last asked for the image.
    pub(super) fn existing(self) -> Vec<PathBuf> {
        let is_there =
            |uuid, prefix: &Path| is_prefix(prefix, uuid) || is_linked(&self.store, uuid);
        let users = self.prefixes.into_iter().filter(|(uuid, prefix)| is_there(*uuid, prefix));
        users.map(|user| user.1).collect()
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

/// Gives the file with the prefix's UUID its name in the store.
fn link(store: &Path, uuid: Uuid, prefix: &Path) {
    let link = link_path(store, uuid);
    match fs::hard_link(Paths::new(prefix).uuid(), &link) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            tracing::debug!("{prefix:?} is known where it is, and not when it is moved: {error}");
        }
        _ => {}
    }
}

fn link_path(store: &Path, uuid: Uuid) -> PathBuf {
    store.join(format!("{uuid}.{LINK}"))
}

/// Whether the prefix with this UUID has its file, wherever that is by now.
fn is_linked(store: &Path, uuid: Uuid) -> bool {
    has_other_names(&link_path(store, uuid))
}

fn has_other_names(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|file| file.nlink() > 1)
}

/// Whether this file of a store is a link to the file of a prefix that is gone.
pub(super) fn is_stale_link(file: &Path) -> bool {
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let is_link = file.extension().is_some_and(|extension| extension == LINK);
    is_link && name.parse::<Uuid>().is_ok() && !has_other_names(file)
}
