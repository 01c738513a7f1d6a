//! What is in the store, and what of it can go.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::TemplateStore;
use super::files::{self, Kind};
use super::record::Record;
use super::users::{Users, is_stale_link};
use crate::dirlock::{DirLock, Mode, try_lock_file};
use crate::templates::digest::Digest;
use crate::templates::error::TemplateError;
use crate::templates::image::ImageFormat;
use crate::utils::{FileError, read_json};

/// One image of the store, or what is there of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreEntry {
    /// `repository:template:version`, with `@` and a key behind it for what was built on that.
    pub name: String,
    /// What is there.
    pub state: StoreEntryState,
    /// How much room all of its files take, in bytes.
    pub size: u64,
    /// The existing prefixes that use it, each where it was when it was made.
    pub users: Vec<PathBuf>,
    /// When it was last used or fetched.
    pub last_used: Option<SystemTime>,
}

/// What is there of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreEntryState {
    /// All of it.
    Whole {
        /// Its digest.
        digest: Digest,
        /// Its format.
        format: ImageFormat,
    },
    /// It was changed or damaged since it was stored, and will be fetched again.
    Damaged,
    /// A download that was interrupted, and can go on.
    Unfinished,
    /// Somebody is fetching it.
    InUse,
}

/// What [`TemplateStore::prune`] removes, besides what interrupted downloads left and damaged images. What a prefix uses stays
/// in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorePrune {
    /// Nothing more.
    Useless,
    /// Images that were not used for so long.
    OlderThan(Duration),
    /// All images.
    All,
}

impl TemplateStore {
    /// What is in the store, by name.
    pub fn entries(&self) -> Result<Vec<StoreEntry>, TemplateError> {
        let mut found: BTreeMap<String, Vec<Kind>> = BTreeMap::new();
        let list = |error| FileError::io("list", self.path())(error);
        for entry in fs::read_dir(self.path()).map_err(list)? {
            let file_name = entry.map_err(list)?.file_name();
            if let Some((name, kind)) = files::parse(&file_name) {
                found.entry(name.to_owned()).or_default().push(kind);
            }
        }
        // A lock alone is what a failed download leaves.
        found.retain(|_, kinds| kinds.iter().any(|kind| *kind != Kind::Lock));
        found.iter().map(|(name, kinds)| self.entry(name, kinds)).collect()
    }

    fn entry(&self, name: &str, kinds: &[Kind]) -> Result<StoreEntry, TemplateError> {
        let users = Users::read(&self.file_of(name, Kind::Users))?;
        let stored =
            fs::metadata(self.file_of(name, Kind::Stored)).and_then(|file| file.modified()).ok();
        let last_used = users.last_access().or(stored);
        let size = kinds.iter().filter_map(|kind| fs::metadata(self.file_of(name, *kind)).ok());
        Ok(StoreEntry {
            name: name.to_owned(),
            state: self.state(name, kinds)?,
            size: size.map(|file| file.blocks() * 512).sum(),
            users: users.existing(),
            last_used,
        })
    }

    fn state(&self, name: &str, kinds: &[Kind]) -> Result<StoreEntryState, TemplateError> {
        if !kinds.contains(&Kind::Image) {
            let free = self.try_lock(name)?.is_some();
            return Ok(if free { StoreEntryState::Unfinished } else { StoreEntryState::InUse });
        }
        let record: Option<Record> = read_json(&self.file_of(name, Kind::Stored)).ok();
        let image = fs::metadata(self.file_of(name, Kind::Image)).ok();
        Ok(match (record, image) {
            (Some(record), Some(file)) if record.matches(&file) => {
                StoreEntryState::Whole { digest: record.digest, format: record.format }
            }
            _ => StoreEntryState::Damaged,
        })
    }

    /// Removes what nobody uses, and returns it. An image that somebody is working with is left alone, and one that something
    /// else in the store stands on.
    pub fn prune(&self, what: StorePrune) -> Result<Vec<StoreEntry>, TemplateError> {
        let mut removed = Vec::new();
        // What is built on an image has a longer name, and goes first.
        for entry in self.entries()?.into_iter().rev() {
            let Some(lock) = self.try_lock(&entry.name)? else { continue };
            // Somebody may have used it since it was looked at.
            let users = Users::read(&self.file_of(&entry.name, Kind::Users))?.existing();
            let is_used = !users.is_empty() || !self.layers_of(&entry.name)?.is_empty();
            if is_used || !is_prunable(&entry, what) {
                self.remove(&entry.name, &[Kind::Part, Kind::PartState, Kind::New])?;
                continue;
            }
            self.remove_files(&entry.name, lock)?;
            removed.push(entry);
        }
        self.remove_stray_files()?;
        removed.reverse();
        Ok(removed)
    }

    /// The image goes first: without it, the rest is as if it had never been there.
    pub(super) fn remove_files(&self, name: &str, lock: DirLock) -> Result<(), TemplateError> {
        let others = Kind::ALL.iter().map(|(kind, _)| *kind);
        let others = others.filter(|kind| !matches!(kind, Kind::Image | Kind::Lock));
        let kinds: Vec<Kind> =
            [Kind::Image].into_iter().chain(others).chain([Kind::Lock]).collect();
        self.remove(name, &kinds)?;
        drop(lock);
        Ok(())
    }

    fn remove(&self, name: &str, kinds: &[Kind]) -> Result<(), TemplateError> {
        for kind in kinds {
            let path = self.file_of(name, *kind);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(FileError::io("remove", &path)(error).into());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Files that a killed process was about to put into the place of others, and links to what is gone.
    fn remove_stray_files(&self) -> Result<(), TemplateError> {
        /// A file that is being written is younger.
        const AGE: Duration = Duration::from_secs(3600);
        let list = |error| FileError::io("list", self.path())(error);
        for entry in fs::read_dir(self.path()).map_err(list)? {
            let entry = entry.map_err(list)?;
            let modified = entry.metadata().and_then(|file| file.modified()).ok();
            let old = modified.and_then(|time| time.elapsed().ok()).is_some_and(|age| age > AGE);
            let is_new = entry.file_name().to_string_lossy().starts_with(".new-");
            if (old && is_new) || is_stale_link(&entry.path()) {
                fs::remove_file(entry.path()).map_err(FileError::io("remove", &entry.path()))?;
            }
        }
        Ok(())
    }

    pub(super) fn try_lock(&self, name: &str) -> Result<Option<DirLock>, TemplateError> {
        Ok(try_lock_file(&self.file_of(name, Kind::Lock), Mode::Exclusive)?)
    }
}

fn is_prunable(entry: &StoreEntry, what: StorePrune) -> bool {
    let age = || entry.last_used.and_then(|time| time.elapsed().ok());
    match (&entry.state, what) {
        (StoreEntryState::InUse, _) => false,
        (StoreEntryState::Damaged | StoreEntryState::Unfinished, _) | (_, StorePrune::All) => true,
        (_, StorePrune::Useless) => false,
        (_, StorePrune::OlderThan(limit)) => age().is_none_or(|age| age >= limit),
    }
}
