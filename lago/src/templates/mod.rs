//! Versioned disk images: the manifest that lists them, where they come from, and where they are cached.
//!
//! A [`TemplateRepository`] is a JSON manifest of [`Template`]s; each [`TemplateVersion`] has a [`TemplateProvider`] and
//! a handle, the provider's name for the image. The [`TemplateStore`] holds verified copies, which the disks of VMs are
//! overlays on.
//!
//! ```json
//! {
//!   "name": "office",
//!   "sources": { "disk": { "type": "file", "args": { "root": "images" } } },
//!   "templates": {
//!     "debian": {
//!       "versions": { "v1": { "source": "disk", "handle": "debian.qcow2", "timestamp": 1700000000 } }
//!     }
//!   }
//! }
//! ```
//! Beside the image `debian.qcow2` are `debian.qcow2.hash`, its SHA-256 or SHA-512 in hexadecimal digits, and, if there is
//! something to say about it, `debian.qcow2.metadata`, a JSON object.

mod digest;
mod error;
mod image;
mod provider;
mod repository;
mod sink;
mod store;

pub use digest::{Digest, DigestAlgorithm};
pub use error::TemplateError;
pub use image::ImageFormat;
pub use provider::{FileSystemTemplateProvider, Metadata, TemplateProvider};
pub use repository::{
    Template, TemplateRepository, TemplateVersion, find_repo_by_name, find_template,
    read_repositories,
};
pub use sink::ImageSink;
pub use store::{STORE_LOCK_LIMIT, StoredImage, TemplateStore};
