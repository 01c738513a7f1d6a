//! Verified copies of images on this machine.

mod files;
mod inventory;
mod layers;
mod lookup;
mod record;
mod users;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use uuid::Uuid;

pub use inventory::{StoreEntry, StoreEntryState, StorePrune};
pub(crate) use layers::{LayerBase, layer_name};

use self::files::Kind;
use self::record::Record;
use self::users::Users;
use super::digest::Digest;
use super::error::TemplateError;
use super::image::{ImageFormat, inspect};
use super::provider::Metadata;
use super::repository::TemplateVersion;
use super::transfer::{Transfer, TransferOptions};
use crate::dirlock::{DirLock, Mode, lock_file};
use crate::sysprep::STAGING;
use crate::utils::{
    FileError, PRIVATE_MODE, create_dir, read_json, read_text, sweep, write_file, write_json,
};

/// How long to wait for another process that works on the same image: it may be fetching some gigabytes over a slow line.
pub const STORE_LOCK_LIMIT: Duration = Duration::from_secs(4 * 3600);

/// An image in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredImage {
    /// The file, which disks are overlays on. Nobody may write to it.
    pub path: PathBuf,
    /// Its format.
    pub format: ImageFormat,
    /// Its digest.
    pub digest: Digest,
    /// What is known about it.
    pub metadata: Metadata,
}

/// A directory of verified images. Several processes may use it at once; of those that want the same image, one fetches it.
///
/// The image `<repository>:<template>:<version>` has beside it its digest (`.hash`), what is known about it (`.metadata`),
/// what the store knows (`.stored`), its users (`.users`) and its lock (`.lock`), and while it is fetched what has come
/// (`.part`, `.part.json`) and what is written (`.new`). All are for their owner only. What the `build` steps of disks made of it
/// is beside it as well, each `<repository>:<template>:<version>@<key>`, an overlay on it.
#[derive(Debug, Clone)]
pub struct TemplateStore {
    path: PathBuf,
    transfer: Transfer,
}

/// Whether the source of an image that is stored is asked about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    /// Only if that costs nothing.
    Local,
    /// In any case.
    Always,
}

impl TemplateStore {
    /// The store in the directory `path`, which is created unless it exists.
    pub fn open(path: &Path) -> Result<Self, TemplateError> {
        create_dir(path)?;
        let path = path.canonicalize().map_err(FileError::io("open", path))?;
        // A build that was killed left keys and passwords there, which are not to wait for the next build or for `prune`.
        if let Err(error) = sweep(&path, STAGING) {
            tracing::warn!("what a killed build has left cannot be removed: {error}");
        }
        Ok(Self { path, transfer: Transfer::shared() })
    }

    /// The same store, with other limits on fetching.
    pub fn with_transfer(self, options: TransferOptions) -> Self {
        Self { transfer: Transfer::new(options), ..self }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The stored image of `version`.
    pub fn get_path(&self, version: &TemplateVersion) -> Result<PathBuf, TemplateError> {
        self.stored_record(version).map(|_| self.file(version, Kind::Image))
    }

    /// The digest of the stored image.
    pub fn get_stored_hash(&self, version: &TemplateVersion) -> Result<Digest, TemplateError> {
        self.stored_record(version).map(|record| record.digest)
    }

    /// What was known about the image when it was stored.
    pub fn get_stored_metadata(
        &self,
        version: &TemplateVersion,
    ) -> Result<Metadata, TemplateError> {
        self.stored_record(version)?;
        Ok(read_json(&self.file(version, Kind::Metadata))?)
    }

    /// Makes sure that the store has an intact image of `version`. One that is there already is not read again, and a server
    /// not asked about it.
    ///
    /// # Errors
    /// When it cannot be fetched, differs from what its repository promises, or is none that a VM can start from. Nothing of
    /// it can be seen in the store then.
    pub fn download(&self, version: &TemplateVersion) -> Result<StoredImage, TemplateError> {
        let _lock = self.lock(version)?;
        self.provide(version, Ask::Local)
    }

    /// As [`download`](Self::download), but asks a server too whether it has another image of this version now: the address
    /// of a distribution's latest image always leads to the newest one. An unused image is replaced.
    ///
    /// # Errors
    /// Also when there is another image, and prefixes use the one that is stored.
    pub fn refresh(&self, version: &TemplateVersion) -> Result<StoredImage, TemplateError> {
        let _lock = self.lock(version)?;
        self.provide(version, Ask::Always)
    }

    /// Takes note that the prefix with this UUID, in the directory `prefix`, uses the image.
    pub fn mark_used(
        &self,
        version: &TemplateVersion,
        uuid: Uuid,
        prefix: &Path,
    ) -> Result<(), TemplateError> {
        let _lock = self.lock(version)?;
        self.add_user(version, uuid, prefix)
    }

    /// [`download`](Self::download) and [`mark_used`](Self::mark_used) in one, so that the image is not replaced between
    /// them. The prefix's `uuid` file must be there already: by it the store recognises that the prefix still exists.
    pub fn acquire(
        &self,
        version: &TemplateVersion,
        uuid: Uuid,
        prefix: &Path,
    ) -> Result<StoredImage, TemplateError> {
        let _lock = self.lock(version)?;
        let image = self.provide(version, Ask::Local)?;
        self.add_user(version, uuid, prefix)?;
        Ok(image)
    }

    /// The existing prefixes that use the image.
    pub fn users(&self, version: &TemplateVersion) -> Result<Vec<PathBuf>, TemplateError> {
        Ok(Users::read(&self.file(version, Kind::Users))?.existing())
    }

    fn provide(&self, version: &TemplateVersion, ask: Ask) -> Result<StoredImage, TemplateError> {
        let Some(stored) = self.intact_record(version)? else { return self.fetch(version) };
        let same_source = stored.source.as_ref().is_none_or(|source| *source == version.source());
        let promised = match version.local_hash(&self.transfer) {
            Some(promised) => promised,
            None if ask == Ask::Local && same_source => return self.image(version, stored),
            None => version.hash(&self.transfer),
        };
        match promised {
            Ok(promised) if promised != stored.digest => {
                self.check_replaceable(version, stored.digest, promised)?;
                self.remove_layers_of(version.name())?;
                self.fetch(version)
            }
            Ok(_) => self.image(version, self.with_source(version, stored)?),
            Err(error) if same_source => {
                tracing::warn!(
                    "using the stored image of {}; its source does not answer: {error}",
                    version.name()
                );
                self.image(version, stored)
            }
            Err(error) => Err(error),
        }
    }

    /// The record of an image that turned out to be the same from its present source.
    fn with_source(
        &self,
        version: &TemplateVersion,
        stored: Record,
    ) -> Result<Record, TemplateError> {
        let source = version.source();
        if stored.source.as_ref() == Some(&source) {
            return Ok(stored);
        }
        let record = stored.coming_from(source);
        write_json(&self.file(version, Kind::Stored), &record)?;
        Ok(record)
    }

    fn fetch(&self, version: &TemplateVersion) -> Result<StoredImage, TemplateError> {
        let _span = tracing::info_span!("download", template = version.name()).entered();
        let metadata = version.full_metadata(&self.transfer)?;
        let new = self.file(version, Kind::New);
        let digest = version.download_to(&new, &self.file(version, Kind::Part), &self.transfer)?;
        self.adopt(version, &new, digest, &metadata).inspect_err(|_| {
            if let Err(error) = fs::remove_file(&new) {
                tracing::error!("cannot remove {}: {error}", new.display());
            }
        })
    }

    /// Makes the verified file `new` the stored image.
    fn adopt(
        &self,
        version: &TemplateVersion,
        new: &Path,
        digest: Digest,
        metadata: &Metadata,
    ) -> Result<StoredImage, TemplateError> {
        let read_error = || FileError::io("read", new);
        let format = inspect(new).map_err(read_error())?.map_err(|reason| {
            TemplateError::Image { template: version.name().to_owned(), reason }
        })?;
        let file = fs::metadata(new).map_err(read_error())?;
        let record = Record::new(digest, format, &file, version.source());
        self.publish(version.name(), new, record, metadata)
    }

    /// Gives a finished file its name: the facts about it first, then the image itself, so that a crash between them leaves an
    /// image that does not match its record.
    fn publish(
        &self,
        name: &str,
        new: &Path,
        record: Record,
        metadata: &Metadata,
    ) -> Result<StoredImage, TemplateError> {
        let hash = format!("{}\n", record.digest);
        write_file(&self.file_of(name, Kind::Hash), hash.as_bytes(), PRIVATE_MODE)?;
        write_json(&self.file_of(name, Kind::Metadata), metadata)?;
        write_json(&self.file_of(name, Kind::Stored), &record)?;
        let path = self.file_of(name, Kind::Image);
        fs::rename(new, &path).map_err(FileError::io("write", &path))?;
        tracing::info!("stored {}", path.display());
        self.image_of(name, record)
    }

    fn image(
        &self,
        version: &TemplateVersion,
        record: Record,
    ) -> Result<StoredImage, TemplateError> {
        self.image_of(version.name(), record)
    }

    fn image_of(&self, name: &str, record: Record) -> Result<StoredImage, TemplateError> {
        Ok(StoredImage {
            path: self.file_of(name, Kind::Image),
            format: record.format,
            digest: record.digest,
            metadata: read_json(&self.file_of(name, Kind::Metadata))?,
        })
    }

    fn check_replaceable(
        &self,
        version: &TemplateVersion,
        stored: Digest,
        promised: Digest,
    ) -> Result<(), TemplateError> {
        let users = self.users(version)?;
        if users.is_empty() {
            return Ok(());
        }
        let users = users.iter().map(|prefix| prefix.display().to_string()).collect();
        Err(TemplateError::Changed { template: version.name().to_owned(), stored, promised, users })
    }

    fn stored_record(&self, version: &TemplateVersion) -> Result<Record, TemplateError> {
        self.intact_record(version)?.ok_or_else(|| TemplateError::NotStored {
            template: version.name().to_owned(),
            store: self.path.clone(),
        })
    }

    /// What the store knows of the image, if it has the image and nobody has changed it.
    fn intact_record(&self, version: &TemplateVersion) -> Result<Option<Record>, TemplateError> {
        self.intact_record_of(version.name())
    }

    fn intact_record_of(&self, name: &str) -> Result<Option<Record>, TemplateError> {
        let path = self.file_of(name, Kind::Image);
        let file = match fs::metadata(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(FileError::io("look at", &path)(error).into()),
        };
        let digest = read_text(&self.file_of(name, Kind::Hash)).ok();
        let record: Option<Record> = read_json(&self.file_of(name, Kind::Stored)).ok();
        let intact = record.filter(|record| {
            let digest = digest.and_then(|text| text.parse().ok());
            record.matches(&file) && digest.as_ref() == Some(&record.digest)
        });
        if intact.is_none() {
            tracing::warn!("{} was changed or damaged since it was stored", path.display());
        }
        Ok(intact)
    }

    fn add_user(
        &self,
        version: &TemplateVersion,
        uuid: Uuid,
        prefix: &Path,
    ) -> Result<(), TemplateError> {
        self.stored_record(version)?;
        Ok(Users::add(&self.file(version, Kind::Users), uuid, prefix)?)
    }

    /// Of several processes, and threads, one works on an image; the others wait, and say for whom.
    fn lock(&self, version: &TemplateVersion) -> Result<DirLock, TemplateError> {
        self.lock_of(version.name())
    }

    fn lock_of(&self, name: &str) -> Result<DirLock, TemplateError> {
        let _span = tracing::info_span!("template", name).entered();
        Ok(lock_file(&self.file_of(name, Kind::Lock), Mode::Exclusive, STORE_LOCK_LIMIT)?)
    }

    fn file(&self, version: &TemplateVersion, kind: Kind) -> PathBuf {
        self.file_of(version.name(), kind)
    }

    fn file_of(&self, name: &str, kind: Kind) -> PathBuf {
        files::file(&self.path, name, kind)
    }
}

#[cfg(test)]
mod tests;
