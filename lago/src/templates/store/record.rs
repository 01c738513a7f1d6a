//! What the store remembers about an image.

use std::fs::Metadata as FileMetadata;
use std::os::unix::fs::MetadataExt as _;

use serde::{Deserialize, Serialize};

use crate::templates::digest::Digest;
use crate::templates::image::ImageFormat;

/// What a stored image is, and by what a change of its file is noticed without reading all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) digest: Digest,
    pub(super) format: ImageFormat,
    size: u64,
    modified_seconds: i64,
    modified_nanoseconds: i64,
    /// Where it came from. Another repository may have another image under the same name.
    #[serde(default)]
    pub(super) source: Option<String>,
}

impl Record {
    pub(super) fn new(
        digest: Digest,
        format: ImageFormat,
        file: &FileMetadata,
        source: String,
    ) -> Self {
        Self {
            digest,
            format,
            size: file.len(),
            modified_seconds: file.mtime(),
            modified_nanoseconds: file.mtime_nsec(),
            source: Some(source),
        }
    }

    /// The same image, from another source.
    pub(super) fn coming_from(self, source: String) -> Self {
        Self { source: Some(source), ..self }
    }

    pub(super) fn matches(&self, file: &FileMetadata) -> bool {
        let modified = (self.modified_seconds, self.modified_nanoseconds);
        file.is_file() && (self.size, modified) == (file.len(), (file.mtime(), file.mtime_nsec()))
    }
}
