//! A source that cannot be used here. That matters once something is wanted of it.

use super::{ImageEntry, Metadata, TemplateProvider};
use crate::templates::digest::Digest;
use crate::templates::download::ImageDownload;
use crate::templates::error::TemplateError;
use crate::templates::transfer::Transfer;

/// Has no images, and the reason why.
#[derive(Debug, Clone)]
pub(in crate::templates) struct UnusableTemplateProvider {
    manifest: String,
    place: String,
    reason: String,
}

impl UnusableTemplateProvider {
    /// For a source of this manifest, which has its images in this place.
    pub(in crate::templates) fn new(manifest: String, place: &str, reason: String) -> Self {
        Self { manifest, place: place.to_owned(), reason }
    }

    fn error(&self) -> TemplateError {
        TemplateError::Manifest { manifest: self.manifest.clone(), reason: self.reason.clone() }
    }
}

impl TemplateProvider for UnusableTemplateProvider {
    /// An image that is stored already is not asked about.
    fn is_local(&self) -> bool {
        false
    }

    fn location(&self, image: &ImageEntry) -> String {
        format!("{}/{}", self.place, image.handle)
    }

    fn get_hash(&self, _image: &ImageEntry, _transfer: &Transfer) -> Result<Digest, TemplateError> {
        Err(self.error())
    }

    fn get_metadata(
        &self,
        _image: &ImageEntry,
        _transfer: &Transfer,
    ) -> Result<Metadata, TemplateError> {
        Err(self.error())
    }

    fn download_image(
        &self,
        _image: &ImageEntry,
        _download: &ImageDownload<'_>,
    ) -> Result<Digest, TemplateError> {
        Err(self.error())
    }
}
