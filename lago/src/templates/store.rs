//! Verified copies of images on this machine.

use std::collections::BTreeMap;
use std::fs::{self, Metadata as FileMetadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::digest::Digest;
use super::error::TemplateError;
use super::image::{ImageFormat, inspect};
use super::provider::Metadata;
use super::repository::TemplateVersion;
use crate::dirlock::{DirLock, Mode, lock_file};
use crate::paths::Paths;
use crate::utils::{
    FileError, PRIVATE_MODE, create_dir, read_json, read_text, write_file, write_json,
};

/// How long to wait for another process that works on the same image: it may be fetching some gigabytes over a slow line.
pub const STORE_LOCK_LIMIT: Duration = Duration::from_secs(3600);

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

/// What the store remembers about an image, by which a change of the file is noticed without reading all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    digest: Digest,
    format: ImageFormat,
    size: u64,
    modified_seconds: i64,
    modified_nanoseconds: i64,
}

impl Record {
    fn matches(&self, file: &FileMetadata) -> bool {
        let modified = (self.modified_seconds, self.modified_nanoseconds);
        file.is_file() && (self.size, modified) == (file.len(), (file.mtime(), file.mtime_nsec()))
    }
}

/// Who uses an image.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Users {
    /// The prefixes' UUIDs and directories.
    users: BTreeMap<Uuid, PathBuf>,
    /// When a prefix last asked for it, in seconds since 1970.
    last_access: u64,
}

/// A directory of verified images. Several processes may use it at once.
///
/// The image `<repository>:<template>:<version>` has beside it its digest (`.hash`), what is known about it (`.metadata`),
/// what the store knows (`.stored`), its users (`.users`) and its lock (`.lock`). All are for their owner only.
#[derive(Debug, Clone)]
pub struct TemplateStore {
    path: PathBuf,
}

impl TemplateStore {
    /// The store in the directory `path`, which is created unless it exists.
    pub fn open(path: &Path) -> Result<Self, TemplateError> {
        create_dir(path)?;
        let path = path.canonicalize().map_err(FileError::io("open", path))?;
        Ok(Self { path })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The stored image of `version`.
    pub fn get_path(&self, version: &TemplateVersion) -> Result<PathBuf, TemplateError> {
        self.stored_record(version).map(|_| self.file(version, ""))
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
        Ok(read_json(&self.file(version, ".metadata"))?)
    }

    /// Makes sure that the store has an intact image of `version`. One that is there already is not read again.
    ///
    /// # Errors
    /// When it cannot be fetched, differs from what its repository promises, or is none that a VM can start from. The
    /// store is unchanged then.
    pub fn download(&self, version: &TemplateVersion) -> Result<StoredImage, TemplateError> {
        let _lock = self.lock(version)?;
        self.provide(version)
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
        let image = self.provide(version)?;
        self.add_user(version, uuid, prefix)?;
        Ok(image)
    }

    /// The existing prefixes that use the image.
    pub fn users(&self, version: &TemplateVersion) -> Result<Vec<PathBuf>, TemplateError> {
        let users = self.read_users(version)?.users;
        Ok(users
            .into_iter()
            .filter(|(uuid, prefix)| is_prefix(prefix, *uuid))
            .map(|user| user.1)
            .collect())
    }

    fn provide(&self, version: &TemplateVersion) -> Result<StoredImage, TemplateError> {
        let promised = version.get_hash();
        let Some(stored) = self.intact_record(version)? else {
            promised?;
            return self.fetch(version);
        };
        match promised {
            Ok(promised) if promised != stored.digest => {
                self.check_replaceable(version, stored.digest, promised)?;
                self.fetch(version)
            }
            Ok(_) => self.image(version, stored),
            Err(error) => {
                tracing::warn!(
                    "using the stored image of {}; its source does not answer: {error}",
                    version.name()
                );
                self.image(version, stored)
            }
        }
    }

    fn fetch(&self, version: &TemplateVersion) -> Result<StoredImage, TemplateError> {
        let _span = tracing::info_span!("download", template = version.name()).entered();
        let metadata = version.get_metadata()?;
        // Holding the image's lock, so what an interrupted download left under this name is overwritten.
        let partial = self.file(version, ".part");
        let digest = version.download(&partial)?;
        self.adopt(version, &partial, digest, &metadata).inspect_err(|_| {
            if let Err(error) = fs::remove_file(&partial) {
                tracing::error!("cannot remove {}: {error}", partial.display());
            }
        })
    }

    /// Makes the verified file `partial` the stored image: the facts about it first, then the image itself, so that a
    /// crash between them leaves an image that does not match its record.
    fn adopt(
        &self,
        version: &TemplateVersion,
        partial: &Path,
        digest: Digest,
        metadata: &Metadata,
    ) -> Result<StoredImage, TemplateError> {
        let read_error = || FileError::io("read", partial);
        let format = inspect(partial).map_err(read_error())?.map_err(|reason| {
            TemplateError::Image { template: version.name().to_owned(), reason }
        })?;
        let file = fs::metadata(partial).map_err(read_error())?;
        let record = Record {
            digest,
            format,
            size: file.len(),
            modified_seconds: file.mtime(),
            modified_nanoseconds: file.mtime_nsec(),
        };
        let hash = format!("{}\n", record.digest);
        write_file(&self.file(version, ".hash"), hash.as_bytes(), PRIVATE_MODE)?;
        write_json(&self.file(version, ".metadata"), metadata)?;
        write_json(&self.file(version, ".stored"), &record)?;
        let path = self.file(version, "");
        fs::rename(partial, &path).map_err(FileError::io("write", &path))?;
        tracing::info!("stored {}", path.display());
        self.image(version, record)
    }

    fn image(
        &self,
        version: &TemplateVersion,
        record: Record,
    ) -> Result<StoredImage, TemplateError> {
        Ok(StoredImage {
            path: self.file(version, ""),
            format: record.format,
            digest: record.digest,
            metadata: read_json(&self.file(version, ".metadata"))?,
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
        let path = self.file(version, "");
        let file = match fs::metadata(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(FileError::io("look at", &path)(error).into()),
        };
        let digest = read_text(&self.file(version, ".hash")).ok();
        let record: Option<Record> = read_json(&self.file(version, ".stored")).ok();
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
        let mut users = self.read_users(version)?;
        users.users.retain(|uuid, prefix| is_prefix(prefix, *uuid));
        users.users.insert(uuid, prefix.to_owned());
        users.last_access =
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Ok(write_json(&self.file(version, ".users"), &users)?)
    }

    fn read_users(&self, version: &TemplateVersion) -> Result<Users, TemplateError> {
        match read_json(&self.file(version, ".users")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Users::default()),
            users => Ok(users?),
        }
    }

    fn lock(&self, version: &TemplateVersion) -> Result<DirLock, TemplateError> {
        Ok(lock_file(&self.file(version, ".lock"), Mode::Exclusive, STORE_LOCK_LIMIT)?)
    }

    fn file(&self, version: &TemplateVersion, suffix: &str) -> PathBuf {
        self.path.join(format!("{}{suffix}", version.name()))
    }
}

/// Whether the prefix with this UUID is (still) in the directory `prefix`.
fn is_prefix(prefix: &Path, uuid: Uuid) -> bool {
    let stored = fs::read_to_string(Paths::new(prefix).uuid());
    stored.is_ok_and(|text| text.trim().parse() == Ok(uuid))
}

#[cfg(test)]
mod tests;
