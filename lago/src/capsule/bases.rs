//! The templates that a capsule stands on, in this machine's store.

use std::path::PathBuf;

use uuid::Uuid;

use super::manifest::{Manifest, TemplateUse};
use super::{CapsuleError, OpenOptions};
use crate::Result;
use crate::paths::Paths;
use crate::prefix::PrefixError;
use crate::templates::{
    Digest, ImageFormat, TemplateError, TemplateRepository, TemplateStore, TemplateVersion,
};

/// What the images of a capsule stand on here, by the digest.
#[derive(Debug)]
pub(super) struct Base {
    name: String,
    pub(super) digest: Digest,
    pub(super) format: ImageFormat,
    place: Place,
}

/// Where a template's image is.
#[derive(Debug)]
enum Place {
    /// In the store.
    Stored(TemplateStore),
    /// In the capsule, and in the prefix that is made of it, from there.
    Packed(PathBuf),
}

/// Finds the templates that a capsule stands on, fetching into the store what a repository has.
///
/// # Errors
/// The first that is nowhere, with how it is to be had.
pub(super) fn find(manifest: &Manifest, options: &OpenOptions) -> Result<Vec<Base>> {
    manifest.templates.iter().map(|template| find_one(template, options)).collect()
}

fn find_one(template: &TemplateUse, options: &OpenOptions) -> Result<Base> {
    let TemplateUse { name, digest, format, file } = template;
    let base = |place| Base { name: name.clone(), digest: digest.clone(), format: *format, place };
    let store = options.store.as_deref().map(TemplateStore::open).transpose()?;
    if let Some(store) = store {
        if store.find(digest)?.is_none()
            && file.is_none()
            && let Some(version) = offered(&options.repositories, template)
        {
            store.download(version)?;
        }
        if store.find(digest)?.is_some() {
            return Ok(base(Place::Stored(store)));
        }
    }
    match file {
        Some(file) => Ok(base(Place::Packed(file.clone()))),
        None if options.store.is_none() => Err(PrefixError::NoStore.into()),
        None => Err(missing(template, options).into()),
    }
}

/// The version of a repository that has the image: the one of the same name, or one of which that is known without asking
/// a server.
fn offered<'a>(
    repositories: &'a [TemplateRepository],
    template: &TemplateUse,
) -> Option<&'a TemplateVersion> {
    let has_it = |digest: Option<Digest>| digest.as_ref() == Some(&template.digest);
    named(repositories, &template.name)
        .filter(|version| has_it(version.get_hash().ok()))
        .or_else(|| versions(repositories).find(|version| has_it(version.known_hash())))
}

fn named<'a>(repositories: &'a [TemplateRepository], name: &str) -> Option<&'a TemplateVersion> {
    versions(repositories).find(|version| version.name() == name)
}

fn versions(repositories: &[TemplateRepository]) -> impl Iterator<Item = &TemplateVersion> {
    let templates = repositories.iter().flat_map(TemplateRepository::templates);
    templates
        .flat_map(|known| known.versions().filter_map(|name| known.get_version(Some(name)).ok()))
}

fn missing(template: &TemplateUse, options: &OpenOptions) -> CapsuleError {
    let store = options.store.as_deref().unwrap_or_else(|| "".as_ref()).display();
    let known: Vec<&str> = options.repositories.iter().map(TemplateRepository::name).collect();
    let searched = match known.as_slice() {
        [] => format!("is not in the store {store}, and no template repository is set"),
        known => format!(
            "is neither in the store {store} nor in the template repositories that are set ({})",
            known.join(", ")
        ),
    };
    let repository = template.name.split(':').next().unwrap_or_default();
    let other =
        named(&options.repositories, &template.name).and_then(|version| version.get_hash().ok());
    let remedy = match other {
        Some(other) => format!(
            "The repository `{repository}` has another image by that name now, {other}: get the one of that time"
        ),
        None => format!(
            "Name the manifest of the repository `{repository}` with --template-repo-path or the setting \
             `template_repo_path`"
        ),
    };
    CapsuleError::Template {
        template: template.name.clone(),
        digest: format!("{} {}", template.digest.algorithm(), template.digest),
        searched,
        remedy,
    }
}

impl Base {
    /// Whether the image comes from the capsule.
    pub(super) fn is_packed(&self) -> bool {
        matches!(self.place, Place::Packed(_))
    }

    /// The image that a prefix is to stand on. The store takes note of that.
    pub(super) fn image(&self, id: Uuid, paths: &Paths) -> Result<PathBuf> {
        let store = match &self.place {
            Place::Packed(file) => return Ok(paths.prefix().join(file)),
            Place::Stored(store) => store,
        };
        let image = store.acquire_by_digest(&self.digest, id, paths.prefix())?;
        image.map(|image| image.path).ok_or_else(|| {
            let (template, store) = (self.name.clone(), store.path().to_owned());
            TemplateError::NotStored { template, store }.into()
        })
    }
}
