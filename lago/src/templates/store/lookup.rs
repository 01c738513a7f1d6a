//! Finding images by what they are rather than by their names.

use std::path::Path;

use uuid::Uuid;

use super::files::{self, Kind};
use super::layers::base_of;
use super::users::Users;
use super::{StoredImage, TemplateStore};
use crate::templates::digest::Digest;
use crate::templates::error::TemplateError;
use crate::templates::transfer::Transfer;
use crate::utils::FileError;

impl TemplateStore {
    /// The image with this digest, under whatever name it is stored, with that name.
    pub fn find(&self, digest: &Digest) -> Result<Option<(String, StoredImage)>, TemplateError> {
        let list = |error| FileError::io("list", self.path())(error);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(self.path()).map_err(list)? {
            let file = entry.map_err(list)?.file_name();
            if let Some((name, Kind::Stored)) = files::parse(&file)
                && base_of(name).is_none()
            {
                names.push(name.to_owned());
            }
        }
        names.sort();
        for name in names {
            let stored = self.intact_record_of(&name)?.filter(|stored| stored.digest == *digest);
            if let Some(stored) = stored {
                let image = self.image_of(&name, stored)?;
                return Ok(Some((name, image)));
            }
        }
        Ok(None)
    }

    /// As [`acquire`](Self::acquire), for the image with this digest; none when the store has none.
    pub fn acquire_by_digest(
        &self,
        digest: &Digest,
        uuid: Uuid,
        prefix: &Path,
    ) -> Result<Option<StoredImage>, TemplateError> {
        let Some((name, _)) = self.find(digest)? else { return Ok(None) };
        let _lock = self.lock_of(&name)?;
        let stored = self.intact_record_of(&name)?.filter(|stored| stored.digest == *digest);
        let Some(stored) = stored else { return Ok(None) };
        Users::add(&self.file_of(&name, Kind::Users), uuid, prefix)?;
        self.image_of(&name, stored).map(Some)
    }

    /// The image that is stored in this file, with its name. None for a file that no store keeps, that was changed since it was
    /// stored, or that was built here: no repository has it.
    pub fn stored_at(file: &Path) -> Result<Option<(String, StoredImage)>, TemplateError> {
        let found = file.parent().zip(file.file_name().and_then(files::parse));
        let Some((dir, (name, Kind::Image))) = found else { return Ok(None) };
        if base_of(name).is_some() {
            return Ok(None);
        }
        let store = Self { path: dir.to_owned(), transfer: Transfer::shared() };
        if !store.file_of(name, Kind::Stored).is_file() {
            return Ok(None);
        }
        let Some(stored) = store.intact_record_of(name)? else { return Ok(None) };
        Ok(Some((name.to_owned(), store.image_of(name, stored)?)))
    }
}
