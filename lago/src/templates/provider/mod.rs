//! Where images come from.

mod file;
mod http;
mod oci;
mod unusable;

use std::fmt;
use std::path::{Component, Path};

pub use file::FileSystemTemplateProvider;
pub use http::HttpTemplateProvider;
pub(super) use oci::SCHEME as OCI_SCHEME;
pub use oci::{OciTemplateProvider, Reference, ReferenceError};
pub(super) use unusable::UnusableTemplateProvider;

use super::checksums;
use super::digest::Digest;
use super::download::ImageDownload;
use super::error::TemplateError;
use super::transfer::Transfer;

/// What is known about a template, such as its root password or its distribution.
pub type Metadata = serde_json::Map<String, serde_json::Value>;

/// What a manifest says about an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageEntry {
    /// The provider's name for it.
    pub handle: String,
    /// Its digest, when the manifest has it.
    pub hash: Option<Digest>,
    /// Where its digest is listed otherwise: a name beside the images of the source, or a whole address.
    pub checksum_url: Option<String>,
}

/// A source of images.
pub trait TemplateProvider: fmt::Debug + Send + Sync {
    /// Whether asking it costs nothing: it is on this machine.
    fn is_local(&self) -> bool;

    /// Where the image is, for people and to tell it from others.
    fn location(&self, image: &ImageEntry) -> String;

    /// The digest that the image must have.
    fn get_hash(&self, image: &ImageEntry, transfer: &Transfer) -> Result<Digest, TemplateError>;

    /// What is known about the image; nothing is a valid answer.
    fn get_metadata(
        &self,
        image: &ImageEntry,
        transfer: &Transfer,
    ) -> Result<Metadata, TemplateError>;

    /// Brings the image to where `download` has it, and returns its digest.
    fn download_image(
        &self,
        image: &ImageEntry,
        download: &ImageDownload<'_>,
    ) -> Result<Digest, TemplateError>;
}

/// Whether a name stays below the place that it is looked for in.
fn is_below(name: &str) -> bool {
    let is_inner = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    !name.is_empty() && Path::new(name).components().all(is_inner)
}

/// The digest of the image `handle` from the checksum file at `url`.
fn listed_digest(text: &str, url: &str, handle: &str) -> Result<Digest, TemplateError> {
    let file_name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    checksums::find(text, &file_name(url), &file_name(handle))
        .map_err(|source| TemplateError::ChecksumFile { url: url.to_owned(), source })
}
