//! The manifest that lists templates.

use std::path::Path;
use std::sync::Arc;

use indexmap::IndexMap;
use reqwest::header::HeaderMap;

use super::digest::Digest;
use super::download::ImageDownload;
use super::error::TemplateError;
use super::manifest::{Manifest, Source, TemplateEntry, check_name};
use super::origin::ManifestOrigin;
use super::provider::{ImageEntry, Metadata, TemplateProvider};
use super::transfer::{Remote, Transfer};
use crate::utils::read_text;

/// The largest manifest that is taken from a server.
const MAX_MANIFEST: u64 = 16 << 20;

/// The manifest of the repository that is part of lago.
const SHIPPED: &str = include_str!("../../repositories/cloud-images.json");

/// A named list of templates.
#[derive(Debug, Clone)]
pub struct TemplateRepository {
    name: String,
    origin: ManifestOrigin,
    templates: IndexMap<String, Template>,
}

/// A disk image in several versions.
#[derive(Debug, Clone)]
pub struct Template {
    name: String,
    versions: IndexMap<String, TemplateVersion>,
}

/// One version of a template.
#[derive(Debug, Clone)]
pub struct TemplateVersion {
    name: String,
    provider: Arc<dyn TemplateProvider>,
    image: ImageEntry,
    metadata: Metadata,
    timestamp: i64,
}

impl TemplateRepository {
    /// Reads a manifest. A source's relative directory is relative to the manifest's; `$NAME` in it is a variable of the
    /// environment, and `~` the user's home directory.
    pub fn from_file(path: &Path) -> Result<Self, TemplateError> {
        Self::parse(&read_text(path)?, ManifestOrigin::File(path.to_owned()))
    }

    /// Fetches a manifest from an `http` or `https` address. It may name nothing of this machine; a source's relative
    /// `baseurl` is relative to the manifest's address.
    pub fn from_url(url: &str) -> Result<Self, TemplateError> {
        let (text, origin) = fetch_manifest(url, &Transfer::shared())?;
        Self::parse(&text, origin)
    }

    /// The repository of well-known distributions that is part of lago.
    ///
    /// ```
    /// use lago::templates::TemplateRepository;
    ///
    /// let shipped = TemplateRepository::shipped();
    /// assert!(shipped.get_by_name("debian-12").is_ok());
    /// ```
    pub fn shipped() -> Self {
        Self::parse(SHIPPED, ManifestOrigin::Shipped).expect("a test reads lago's own manifest")
    }

    /// Reads the text of a manifest.
    pub(super) fn parse(text: &str, origin: ManifestOrigin) -> Result<Self, TemplateError> {
        let wrong =
            |reason: String| TemplateError::Manifest { manifest: origin.to_string(), reason };
        let manifest: Manifest =
            serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        check_name("repository", &manifest.name).map_err(wrong)?;
        let sources = providers(&manifest.sources, &origin).map_err(wrong)?;
        let mut templates = IndexMap::new();
        for (name, entry) in manifest.templates {
            let template = Template::new(&manifest.name, &name, entry, &sources).map_err(wrong)?;
            templates.insert(name, template);
        }
        Ok(Self { name: manifest.name, origin, templates })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its manifest was read from.
    pub fn origin(&self) -> &ManifestOrigin {
        &self.origin
    }

    /// Its templates, in the order of the manifest.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        self.templates.values()
    }

    /// The template `name`.
    pub fn get_by_name(&self, name: &str) -> Result<&Template, TemplateError> {
        self.templates.get(name).ok_or_else(|| TemplateError::NoTemplate {
            repository: self.name.clone(),
            name: name.to_owned(),
            known: self.templates.keys().cloned().collect(),
        })
    }
}

/// The text of the manifest at an address.
pub(super) fn fetch_manifest(
    url: &str,
    transfer: &Transfer,
) -> Result<(String, ManifestOrigin), TemplateError> {
    let remote = Remote::parse(url)?;
    let content = transfer.document(&remote, &HeaderMap::new(), "a manifest", MAX_MANIFEST)?;
    let text = String::from_utf8_lossy(&content).into_owned();
    Ok((text, ManifestOrigin::Url(remote.url().clone())))
}

type Providers = IndexMap<String, Arc<dyn TemplateProvider>>;

fn providers(
    sources: &IndexMap<String, Source>,
    origin: &ManifestOrigin,
) -> Result<Providers, String> {
    let mut providers = Providers::new();
    for (name, source) in sources {
        let provider =
            origin.provider(source).map_err(|reason| format!("the source `{name}`: {reason}"))?;
        providers.insert(name.clone(), provider);
    }
    Ok(providers)
}

impl Template {
    fn new(
        repository: &str,
        name: &str,
        entry: TemplateEntry,
        sources: &Providers,
    ) -> Result<Self, String> {
        check_name("template", name)?;
        if entry.versions.is_empty() {
            return Err(format!("the template `{name}` has no versions"));
        }
        let mut versions = IndexMap::new();
        for (version, entry) in entry.versions {
            check_name("version", &version)?;
            let provider = sources.get(&entry.source).ok_or_else(|| {
                let known: Vec<&str> = sources.keys().map(String::as_str).collect();
                format!(
                    "version `{version}` of the template `{name}` comes from the source `{}`, which is not among its \
                     sources: {}",
                    entry.source,
                    known.join(", ")
                )
            })?;
            let value = TemplateVersion {
                name: format!("{repository}:{name}:{version}"),
                provider: Arc::clone(provider),
                image: ImageEntry {
                    handle: entry.handle,
                    hash: entry.hash,
                    checksum_url: entry.checksum_url,
                },
                metadata: entry.metadata,
                timestamp: entry.timestamp,
            };
            versions.insert(version, value);
        }
        Ok(Self { name: name.to_owned(), versions })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of its versions, in the order of the manifest.
    pub fn versions(&self) -> impl Iterator<Item = &str> {
        self.versions.keys().map(String::as_str)
    }

    /// The version `name`, or the newest one.
    pub fn get_version(&self, name: Option<&str>) -> Result<&TemplateVersion, TemplateError> {
        let Some(name) = name else { return Ok(self.get_latest_version()) };
        self.versions.get(name).ok_or_else(|| TemplateError::NoVersion {
            template: self.name.clone(),
            name: name.to_owned(),
            known: self.versions.keys().cloned().collect(),
        })
    }

    /// The newest version: that with the highest timestamp, and of several such the last of the manifest.
    pub fn get_latest_version(&self) -> &TemplateVersion {
        let newest = self.versions.values().max_by_key(|version| version.timestamp);
        newest.expect("a template without versions is refused when it is read")
    }
}

impl TemplateVersion {
    /// `repository:template:version`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When it was made, in seconds since 1970.
    pub fn timestamp(&self) -> i64 {
        self.timestamp
    }

    /// Where its image comes from, by which it is told from an image of the same name in another repository.
    pub(super) fn source(&self) -> String {
        self.provider.location(&self.image)
    }

    /// The digest that its image must have. A source that is not on this machine is asked for it, unless the manifest has
    /// it.
    pub fn get_hash(&self) -> Result<Digest, TemplateError> {
        self.hash(&Transfer::shared())
    }

    pub(super) fn hash(&self, transfer: &Transfer) -> Result<Digest, TemplateError> {
        self.provider.get_hash(&self.image, transfer).map_err(|error| self.named(error))
    }

    /// The digest that its image must have, as far as that is known without the network.
    pub(super) fn local_hash(&self, transfer: &Transfer) -> Option<Result<Digest, TemplateError>> {
        match &self.image.hash {
            Some(hash) => Some(Ok(hash.clone())),
            None => self.provider.is_local().then(|| self.hash(transfer)),
        }
    }

    /// The digest that its image must have, unless only a server knows it.
    pub(crate) fn known_hash(&self) -> Option<Digest> {
        self.local_hash(&Transfer::shared())?.ok()
    }

    /// What is known about it: what its source says, and over that what the manifest says.
    pub fn get_metadata(&self) -> Result<Metadata, TemplateError> {
        self.full_metadata(&Transfer::shared())
    }

    pub(super) fn full_metadata(&self, transfer: &Transfer) -> Result<Metadata, TemplateError> {
        let found = self.provider.get_metadata(&self.image, transfer);
        let mut metadata = found.map_err(|error| self.named(error))?;
        metadata.extend(self.metadata.clone());
        Ok(metadata)
    }

    /// Brings the image to the file `destination` and returns its digest, which is the promised one. What comes over the
    /// network is collected beside it, in `destination` with `.part`, and continued by the next call if this one cannot
    /// finish it.
    ///
    /// # Errors
    /// When the image cannot be read or written, or differs; `destination` is not there then.
    pub fn download(&self, destination: &Path) -> Result<Digest, TemplateError> {
        let mut part = destination.as_os_str().to_owned();
        part.push(".part");
        self.download_to(destination, Path::new(&part), &Transfer::shared())
    }

    pub(super) fn download_to(
        &self,
        image: &Path,
        part: &Path,
        transfer: &Transfer,
    ) -> Result<Digest, TemplateError> {
        let download = ImageDownload::new(&self.name, image, part, transfer);
        self.provider.download_image(&self.image, &download).map_err(|error| self.named(error))
    }

    fn named(&self, error: TemplateError) -> TemplateError {
        let source = match error {
            TemplateError::File(source) => source.into(),
            TemplateError::Transfer(source) => source,
            other => return other,
        };
        TemplateError::Fetch { template: self.name.clone(), source }
    }
}

#[cfg(test)]
mod tests;
