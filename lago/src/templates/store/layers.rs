//! Images that are built on others: overlays, each with what the `build` steps of a disk made of a template, or of an image of
//! the user's.
//!
//! The layer of `<repository>:<template>:<version>` is `<repository>:<template>:<version>@<key>`, and has the same files beside
//! it as any image. Whoever uses a layer uses what it stands on as well, so that one is not replaced under it. The layer of a
//! file is `file:<its name>:<its identity>@<key>`; the file itself is the user's.

use std::fs;
use std::io;
use std::path::Path;

use uuid::Uuid;

use super::files::{self, Kind};
use super::record::Record;
use super::users::Users;
use super::{StoredImage, TemplateStore};
use crate::templates::digest::Digest;
use crate::templates::error::TemplateError;
use crate::templates::image::ImageFormat;
use crate::templates::provider::Metadata;
use crate::utils::{FileError, HostCommand, PRIVATE_MODE, write_file};

/// Between the name of an image and the key of a layer on it. No part of an image's name has it.
const SEPARATOR: char = '@';

/// In the place of a repository in the name of what stands on a file of the user's.
const FILE: &str = "file";

/// How many letters of a key are in a layer's name. That two of one image agree in them is not to be expected.
const SHORT: usize = 16;

/// How much of a file's name is in the name of a layer on it. A name has room for 255 bytes.
const NAME_LENGTH: usize = 100;

/// The name of the layer with this key on the image `base`.
pub(crate) fn layer_name(base: &str, key: &Digest) -> String {
    format!("{base}{SEPARATOR}{}", &key.as_hex()[..SHORT])
}

/// The image that the layer `name` stands on, if it is a layer.
pub(super) fn base_of(name: &str) -> Option<&str> {
    name.split_once(SEPARATOR).map(|(base, _)| base)
}

/// Whether layers on what has this name stand on a file that is not in the store.
fn is_file(base: &str) -> bool {
    base.split_once(':').is_some_and(|(repository, _)| repository == FILE)
}

/// What a layer stands on.
#[derive(Debug)]
pub(crate) struct LayerBase<'a> {
    name: String,
    path: &'a Path,
    format: ImageFormat,
    metadata: Metadata,
}

impl<'a> LayerBase<'a> {
    /// A file of the user's, with a digest that tells it from what it was at another time.
    pub(crate) fn of_file(path: &'a Path, format: ImageFormat, identity: &Digest) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let usual = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
        let name: String = name.chars().map(usual).take(NAME_LENGTH).collect();
        let name = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        let name = if name.is_empty() { "image" } else { name };
        let name = format!("{FILE}:{name}:{}", &identity.as_hex()[..SHORT]);
        Self { name, path, format, metadata: Metadata::new() }
    }

    /// The name of the layer with this key on it.
    pub(crate) fn layer_name(&self, key: &Digest) -> String {
        layer_name(&self.name, key)
    }
}

impl<'a> From<&'a StoredImage> for LayerBase<'a> {
    fn from(image: &'a StoredImage) -> Self {
        let name = image.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { name, path: &image.path, format: image.format, metadata: image.metadata.clone() }
    }
}

impl TemplateStore {
    /// The layer with this key on `base`, which this prefix uses already; it uses the layer as well from now on. Unless the
    /// store has it, `make` changes an overlay, which becomes the layer when that has succeeded. Of several processes that want
    /// the same one, one makes it.
    ///
    /// The digest of a layer is its key: a hash of what it is made of.
    pub(crate) fn acquire_layer<E: From<TemplateError>>(
        &self,
        base: &LayerBase<'_>,
        key: &Digest,
        uuid: Uuid,
        prefix: &Path,
        make: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<StoredImage, E> {
        let name = base.layer_name(key);
        let _lock = self.lock_of(&name)?;
        let stored = self.intact_record_of(&name)?.filter(|stored| stored.digest == *key);
        let layer = if let Some(stored) = stored {
            self.image_of(&name, stored)?
        } else {
            self.require_unused(&name)?;
            self.make_layer(&name, base, key, make)?
        };
        let users = self.file_of(&name, Kind::Users);
        Users::add(&users, uuid, prefix).map_err(TemplateError::from)?;
        Ok(layer)
    }

    /// A layer that is built again is another one, byte for byte, and what stands on the first would be destroyed.
    fn require_unused(&self, name: &str) -> Result<(), TemplateError> {
        let users = Users::read(&self.file_of(name, Kind::Users))?.existing();
        if users.is_empty() || !self.file_of(name, Kind::Image).exists() {
            return Ok(());
        }
        let users = users.iter().map(|prefix| prefix.display().to_string()).collect();
        Err(TemplateError::LayerChanged { layer: self.file_of(name, Kind::Image), users })
    }

    fn make_layer<E: From<TemplateError>>(
        &self,
        name: &str,
        base: &LayerBase<'_>,
        key: &Digest,
        make: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<StoredImage, E> {
        let _span = tracing::info_span!("build", image = name).entered();
        let new = self.file_of(name, Kind::New);
        let layer = create_overlay(&new, base).map_err(E::from).and_then(|()| make(&new));
        let layer = layer.and_then(|()| Ok(self.adopt_layer(name, &new, base, key)?));
        layer.inspect_err(|_| {
            if let Err(error) = remove_if_there(&new) {
                tracing::error!("{error}");
            }
        })
    }

    fn adopt_layer(
        &self,
        name: &str,
        new: &Path,
        base: &LayerBase<'_>,
        key: &Digest,
    ) -> Result<StoredImage, TemplateError> {
        let file = fs::metadata(new).map_err(FileError::io("look at", new))?;
        let source = format!("built on {}", base.path.display());
        let record = Record::new(key.clone(), ImageFormat::Qcow2, &file, source);
        self.publish(name, new, record, &base.metadata)
    }

    /// Takes note that the prefix uses the image or layer of this name, and what a layer stands on.
    pub(crate) fn mark_used_by_name(
        &self,
        name: &str,
        uuid: Uuid,
        prefix: &Path,
    ) -> Result<(), TemplateError> {
        let base = base_of(name).filter(|base| !is_file(base));
        for name in base.into_iter().chain([name]) {
            let _lock = self.lock_of(name)?;
            if self.intact_record_of(name)?.is_none() {
                let (template, store) = (name.to_owned(), self.path().to_owned());
                return Err(TemplateError::NotStored { template, store });
            }
            Users::add(&self.file_of(name, Kind::Users), uuid, prefix)?;
        }
        Ok(())
    }

    /// The names of the layers that stand on an image, those that are being made among them.
    pub(super) fn layers_of(&self, base: &str) -> Result<Vec<String>, TemplateError> {
        let list = |error| FileError::io("list", self.path())(error);
        let mut layers = Vec::new();
        for entry in fs::read_dir(self.path()).map_err(list)? {
            let file = entry.map_err(list)?.file_name();
            if let Some((name, Kind::Image | Kind::New)) = files::parse(&file)
                && base_of(name) == Some(base)
            {
                layers.push(name.to_owned());
            }
        }
        Ok(layers)
    }

    /// Removes the layers on an image that is to be replaced, which nobody uses.
    pub(super) fn remove_layers_of(&self, base: &str) -> Result<(), TemplateError> {
        for layer in self.layers_of(base)? {
            if let Some(lock) = self.try_lock(&layer)? {
                self.remove_files(&layer, lock)?;
            }
        }
        Ok(())
    }
}

fn create_overlay(path: &Path, base: &LayerBase<'_>) -> Result<(), TemplateError> {
    // qemu-img keeps the mode of a file that exists, and would make a readable one.
    write_file(path, b"", PRIVATE_MODE)?;
    let created = HostCommand::new("qemu-img")
        .args(["create", "-q", "-f", "qcow2", "-F", base.format.as_str(), "-b"])
        .args([base.path, path])
        .run();
    created.map(drop).map_err(|error| {
        let (template, reason) = (base.path.display().to_string(), error.to_string());
        TemplateError::Image { template, reason: format!("cannot be built on: {reason}") }
    })
}

fn remove_if_there(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(FileError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}
