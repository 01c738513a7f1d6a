//! The manifest that lists templates.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;
use serde::de::{Error as _, Unexpected};
use serde::{Deserialize, Deserializer};

use super::digest::{Digest, DigestAlgorithm};
use super::error::TemplateError;
use super::provider::{FileSystemTemplateProvider, Metadata, TemplateProvider};
use super::sink::ImageSink;
use crate::utils::{FileError, read_text};

#[derive(Deserialize)]
struct Manifest {
    name: String,
    templates: IndexMap<String, TemplateEntry>,
    sources: IndexMap<String, Source>,
}

#[derive(Deserialize)]
struct TemplateEntry {
    versions: IndexMap<String, VersionEntry>,
}

#[derive(Deserialize)]
struct VersionEntry {
    source: String,
    handle: String,
    #[serde(deserialize_with = "timestamp")]
    timestamp: i64,
}

/// Seconds since 1970, as a number or, as most of Lago's manifests have it, as a string.
fn timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Timestamp {
        Number(i64),
        Text(String),
    }
    match Timestamp::deserialize(deserializer)? {
        Timestamp::Number(number) => Ok(number),
        Timestamp::Text(text) => text.trim().parse().map_err(|_| {
            D::Error::invalid_value(Unexpected::Str(&text), &"seconds since 1970, a whole number")
        }),
    }
}

#[derive(Deserialize)]
#[serde(tag = "type", content = "args", rename_all = "lowercase")]
enum Source {
    File { root: PathBuf },
}

/// A named list of templates.
#[derive(Debug, Clone)]
pub struct TemplateRepository {
    name: String,
    path: PathBuf,
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
    handle: String,
    timestamp: i64,
}

impl TemplateRepository {
    /// Reads a manifest. A source's relative directory is relative to the manifest's.
    pub fn from_file(path: &Path) -> Result<Self, TemplateError> {
        let wrong = |reason: String| TemplateError::Manifest { path: path.to_owned(), reason };
        let manifest: Manifest =
            serde_json::from_str(&read_text(path)?).map_err(|error| wrong(error.to_string()))?;
        check_name("repository", &manifest.name).map_err(wrong)?;
        let sources = providers(&manifest.sources, path.parent().unwrap_or(Path::new("")));
        let mut templates = IndexMap::new();
        for (name, entry) in manifest.templates {
            let template = Template::new(&manifest.name, &name, entry, &sources).map_err(wrong)?;
            templates.insert(name, template);
        }
        Ok(Self { name: manifest.name, path: path.to_owned(), templates })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The manifest.
    pub fn path(&self) -> &Path {
        &self.path
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

type Providers = IndexMap<String, Arc<dyn TemplateProvider>>;

fn providers(sources: &IndexMap<String, Source>, base: &Path) -> Providers {
    let provider = |source: &Source| -> Arc<dyn TemplateProvider> {
        match source {
            Source::File { root } => {
                Arc::new(FileSystemTemplateProvider::new(base.join(below_home(root))))
            }
        }
    };
    sources.iter().map(|(name, source)| (name.clone(), provider(source))).collect()
}

/// `~/images` in the user's home directory.
fn below_home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
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
                handle: entry.handle,
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

    /// The digest that its image must have.
    pub fn get_hash(&self) -> Result<Digest, TemplateError> {
        self.provider.get_hash(&self.handle).map_err(|error| self.named(error))
    }

    /// What is known about it.
    pub fn get_metadata(&self) -> Result<Metadata, TemplateError> {
        self.provider.get_metadata(&self.handle).map_err(|error| self.named(error))
    }

    /// Writes the image to the file `destination` and returns its digest, having compared it with the provider's.
    ///
    /// # Errors
    /// When the image cannot be read or written, or differs; `destination` is removed then.
    pub fn download(&self, destination: &Path) -> Result<Digest, TemplateError> {
        let expected = self.get_hash()?;
        if expected.algorithm() == DigestAlgorithm::Sha1 {
            tracing::warn!(
                "the repository identifies {} by a SHA-1, which can be forged; write a SHA-256 to its .hash file",
                self.name
            );
        }
        let result =
            self.download_checked(destination, &expected).map_err(|error| self.named(error));
        if result.is_err() {
            match fs::remove_file(destination) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    tracing::error!(
                        "cannot remove the incomplete {}: {error}",
                        destination.display()
                    );
                }
                _ => {}
            }
        }
        result
    }

    fn download_checked(
        &self,
        destination: &Path,
        expected: &Digest,
    ) -> Result<Digest, TemplateError> {
        let mut sink = ImageSink::create(destination, expected.algorithm())?;
        self.provider.download_image(&self.handle, &mut sink)?;
        let actual = sink.finish()?;
        if actual != *expected {
            let (template, expected) = (self.name.clone(), expected.clone());
            return Err(TemplateError::Mismatch { template, expected, actual });
        }
        Ok(actual)
    }

    fn named(&self, error: TemplateError) -> TemplateError {
        match error {
            TemplateError::File(source) => {
                TemplateError::Fetch { template: self.name.clone(), source }
            }
            other => other,
        }
    }
}

/// Names become parts of file names in the store.
fn check_name(kind: &str, name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+');
    let good = name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(allowed);
    if good {
        return Ok(());
    }
    Err(format!(
        "`{}` cannot be the name of a {kind}: use 1 to 64 letters, digits, `.`, `-`, `_` and `+`, \
         beginning with a letter or a digit",
        name.escape_debug()
    ))
}

/// The version of the template `name`, or its newest one, in the first of `repositories` that has the template.
///
/// # Errors
/// When none has it: the templates that there are.
pub fn find_template<'a>(
    repositories: &'a [TemplateRepository],
    name: &str,
    version: Option<&str>,
) -> Result<&'a TemplateVersion, TemplateError> {
    let having = repositories.iter().find_map(|repository| repository.templates.get(name));
    let template = having.ok_or_else(|| TemplateError::NoTemplateAnywhere {
        name: name.to_owned(),
        repositories: repositories.iter().map(|repository| repository.name.clone()).collect(),
        known: repositories.iter().flat_map(|repo| repo.templates.keys().cloned()).collect(),
    })?;
    template.get_version(version)
}

/// The repositories of `paths`, each of which is a manifest or a directory of manifests (`*.json`).
pub fn read_repositories(paths: &[PathBuf]) -> Result<Vec<TemplateRepository>, TemplateError> {
    manifests(paths)?.iter().map(|path| TemplateRepository::from_file(path)).collect()
}

/// The repository `name` among `paths`, each of which is a manifest or a directory of manifests (`*.json`).
///
/// # Errors
/// When none has that name: those that there are. A manifest that cannot be read is logged, and no reason to fail.
pub fn find_repo_by_name(
    name: &str,
    paths: &[PathBuf],
) -> Result<TemplateRepository, TemplateError> {
    let mut known = Vec::new();
    for path in manifests(paths)? {
        match TemplateRepository::from_file(&path) {
            Ok(repository) if repository.name() == name => return Ok(repository),
            Ok(repository) => known.push(repository.name),
            Err(error) => tracing::warn!("{error}"),
        }
    }
    Err(TemplateError::NoRepository { name: name.to_owned(), known })
}

fn manifests(paths: &[PathBuf]) -> Result<Vec<PathBuf>, FileError> {
    let mut found = Vec::new();
    for path in paths {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let mut files = Vec::new();
        for entry in fs::read_dir(path).map_err(FileError::io("list", path))? {
            files.push(entry.map_err(FileError::io("list", path))?.path());
        }
        files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
        files.sort();
        found.extend(files);
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
