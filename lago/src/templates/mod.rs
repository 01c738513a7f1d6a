#![doc = include_str!("../../docs/templates.md")]

mod checksums;
mod codec;
mod digest;
mod discovery;
mod download;
mod error;
mod image;
mod manifest;
mod origin;
mod provider;
mod repos;
mod repository;
mod single;
mod sparse;
mod store;
mod transfer;
mod unpack;
mod user;

pub use checksums::ChecksumFileError;
pub use digest::{Digest, DigestAlgorithm, NoDigest};
pub use discovery::{find_repo_by_name, find_template, read_repositories, repositories};
pub use download::ImageDownload;
pub use error::TemplateError;
pub use image::ImageFormat;
pub use origin::ManifestOrigin;
pub use provider::{
    FileSystemTemplateProvider, HttpTemplateProvider, ImageEntry, Metadata, OciTemplateProvider,
    Reference, ReferenceError, TemplateProvider,
};
pub use repos::{AddedRepository, RepositoryKind, TemplateRepos, Update};
pub use repository::{Template, TemplateRepository, TemplateVersion};
pub use single::fetch_file;
pub use store::{
    STORE_LOCK_LIMIT, StoreEntry, StoreEntryState, StorePrune, StoredImage, TemplateStore,
};
pub use transfer::{Remote, Transfer, TransferError, TransferOptions};
pub use user::{AddedTemplate, NewTemplate};

pub(crate) use discovery::is_url;
pub(crate) use image::{inspect, inspect_overlay};
pub(crate) use store::{LayerBase, layer_name};
pub(crate) use unpack::{is_compressed, unpack_file};
