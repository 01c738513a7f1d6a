//! What can go wrong with templates.

use std::path::PathBuf;

use super::checksums::ChecksumFileError;
use super::digest::{Digest, NoDigest};
use super::provider::ReferenceError;
use super::transfer::TransferError;
use crate::dirlock::LockError;
use crate::utils::FileError;

/// A template that could not be found, fetched or stored.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The manifest is not one.
    #[error("the template repository {manifest} cannot be used: {reason}")]
    Manifest {
        /// The manifest.
        manifest: String,
        /// What is wrong in it.
        reason: String,
    },
    /// No repository has that name.
    #[error("there is no template repository `{name}`; there are: {}", listed(known))]
    NoRepository {
        /// The name that was asked for.
        name: String,
        /// The names that exist.
        known: Vec<String>,
    },
    /// The repository has no such template.
    #[error("the repository `{repository}` has no template `{name}`; it has: {}", listed(known))]
    NoTemplate {
        /// The repository.
        repository: String,
        /// The name that was asked for.
        name: String,
        /// The templates that it has.
        known: Vec<String>,
    },
    /// None of the repositories has such a template.
    #[error("no template repository has a template `{name}`; {}", offered(repositories, known))]
    NoTemplateAnywhere {
        /// The name that was asked for.
        name: String,
        /// The repositories that were looked into.
        repositories: Vec<String>,
        /// The templates that they have.
        known: Vec<String>,
    },
    /// The template has no such version.
    #[error("the template `{template}` has no version `{name}`; it has: {}", listed(known))]
    NoVersion {
        /// The template.
        template: String,
        /// The version that was asked for.
        name: String,
        /// The versions that it has.
        known: Vec<String>,
    },
    /// The handle leads out of the provider's directory.
    #[error(
        "the handle `{handle}` leads out of the source's directory {}; it must name a file below it",
        root.display()
    )]
    Escapes {
        /// The handle.
        handle: String,
        /// The directory of the source.
        root: PathBuf,
    },
    /// Something cannot be called so.
    #[error("{reason}")]
    Name {
        /// What is wrong with it.
        reason: String,
    },
    /// A repository of that name was added before.
    #[error(
        "there is a repository `{name}` already, in {}; give another --name, or remove it with `lago template-repo remove {name}`",
        directory.display()
    )]
    RepositoryExists {
        /// Its name.
        name: String,
        /// Where it is.
        directory: PathBuf,
    },
    /// What came has no manifest in it.
    #[error(
        "{url} has no template repository in it: no file `*.json` or `repo.metadata` with `name`, `sources` and `templates`"
    )]
    NoManifest {
        /// Where it came from.
        url: String,
    },
    /// A git repository could not be fetched.
    #[error("cannot fetch the template repository {url}: {reason}")]
    Git {
        /// Where it is.
        url: String,
        /// What git says.
        reason: String,
    },
    /// No image of a registry has that name.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// A list of digests is of no use.
    #[error("the digest of the image cannot be taken from {url}: {source}")]
    ChecksumFile {
        /// The list.
        url: String,
        /// Why not.
        source: ChecksumFileError,
    },
    /// There is no list of digests in any of the usual places.
    #[error(
        "there is no digest of {url} to verify it by: looked for {}; `lago template add` takes one with --sha256, or where it is \
         listed with --checksum-url",
        tried.join(", ")
    )]
    NoChecksumFile {
        /// The image.
        url: String,
        /// Where a list could have been.
        tried: Vec<String>,
    },
    /// There is no digest.
    #[error(
        "there is no digest to verify the image by: {source}. Give `hash` or `checksum_url` in the manifest, or put a .hash \
         file beside the image"
    )]
    NoHash {
        /// What the server answered.
        source: TransferError,
    },
    /// The image's metadata are not JSON.
    #[error("{url} holds no metadata: {source}")]
    Metadata {
        /// The file.
        url: String,
        /// What is wrong in it.
        source: serde_json::Error,
    },
    /// The image's `.hash` file holds something else.
    #[error("{path} holds no digest: {source}; write one with `sha256sum IMAGE > IMAGE.hash`")]
    Hash {
        /// The file.
        path: String,
        /// What it should hold.
        source: NoDigest,
    },
    /// What came is not what the repository promises.
    #[error(
        "the image of `{template}` has the {} {actual}, but its repository promises {expected}; the image is damaged or \
         was changed: get it again, or correct the digest if the change is meant",
        expected.algorithm()
    )]
    Mismatch {
        /// The template version.
        template: String,
        /// The digest that the repository gives.
        expected: Digest,
        /// The digest of what came.
        actual: Digest,
    },
    /// The repository now promises something else than what prefixes already use.
    #[error(
        "the store's image of `{template}` has the digest {stored}, but its repository now promises {promised}. It cannot be \
         replaced while prefixes use it ({}): destroy them, or give the new image a new version",
        listed(users)
    )]
    Changed {
        /// The template version.
        template: String,
        /// The digest of the stored image.
        stored: Digest,
        /// The digest that the repository gives.
        promised: Digest,
        /// The directories of the prefixes that use it.
        users: Vec<String>,
    },
    /// A layer is not as it was built, and cannot be built again under what stands on it.
    #[error(
        "the layer {} in the store was changed since it was built. It cannot be built again while prefixes use it ({}): destroy \
         them, or put the file back as it was, with the time of its last change",
        layer.display(), listed(users)
    )]
    LayerChanged {
        /// Its file.
        layer: PathBuf,
        /// The directories of the prefixes that use it.
        users: Vec<String>,
    },
    /// It is not in the store.
    #[error("the template `{template}` is not in the store {}; download it first", store.display())]
    NotStored {
        /// The template version.
        template: String,
        /// The store.
        store: PathBuf,
    },
    /// The image is of a kind that VMs cannot start from.
    #[error("the image of `{template}` {reason}")]
    Image {
        /// The template version.
        template: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A server does not give it out, or a file could not be read or written.
    #[error("cannot fetch the template `{template}`: {source}")]
    Fetch {
        /// The template version.
        template: String,
        /// What happened.
        source: TransferError,
    },
    /// Something else could not be fetched.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another process is working on the same image.
    #[error(transparent)]
    Lock(#[from] LockError),
}

fn offered(repositories: &[String], known: &[String]) -> String {
    if repositories.is_empty() {
        return "no repository is set: name one with --template-repo-path or the setting `template_repo_path`".to_owned();
    }
    format!("looked into {}, which have: {}", listed(repositories), listed(known))
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
