//! What is remembered of a repository that was added.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::templates::discovery::is_url;
use crate::templates::origin::ManifestOrigin;
use crate::templates::transfer::shown;
use crate::utils::{FileError, read_json, write_json};

/// The file that says where a repository comes from.
const RECORD: &str = "added.json";

/// The directory with what came.
pub(super) const CONTENT: &str = "content";

/// The manifest of a repository that is nothing else.
pub(super) const MANIFEST: &str = "repo.json";

/// A repository that was added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddedRepository {
    /// What it is called here.
    pub name: String,
    /// Where it comes from.
    pub url: String,
    /// What that is.
    pub kind: RepositoryKind,
    /// When it was fetched last, in seconds since 1970.
    pub updated: u64,
    /// The names of its templates then.
    pub templates: Vec<String>,
}

/// What a repository comes as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RepositoryKind {
    /// A git repository with manifests in it.
    Git,
    /// One manifest on a web server.
    Manifest,
}

impl RepositoryKind {
    /// An address says what it is, so that nothing has to be tried.
    pub(super) fn of(url: &str) -> Self {
        let path = url.split(['?', '#']).next().unwrap_or_default();
        let manifest =
            is_url(url) && [".json", ".metadata"].iter().any(|suffix| path.ends_with(suffix));
        if manifest { Self::Manifest } else { Self::Git }
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Git => "git",
            Self::Manifest => "manifest",
        }
    }
}

impl AddedRepository {
    pub(super) fn new(name: &str, url: &str, kind: RepositoryKind) -> Self {
        let (name, url) = (name.to_owned(), url.to_owned());
        Self { name, url, kind, updated: now(), templates: Vec::new() }
    }

    /// The same one, to be fetched again.
    pub(super) fn again(&self) -> Self {
        Self::new(&self.name, &self.url, self.kind)
    }

    pub(super) fn read(directory: &Path) -> Option<Self> {
        let path = directory.join(RECORD);
        if !path.exists() {
            return None;
        }
        read_json(&path).inspect_err(|error| tracing::warn!("{error}")).ok()
    }

    pub(super) fn write(&self, directory: &Path) -> Result<(), FileError> {
        write_json(&directory.join(RECORD), self)
    }

    /// What the manifest `path` in the repository's directory counts as; `None` for what did not come with the repository.
    pub(super) fn origin(&self, directory: &Path, path: &Path) -> Option<ManifestOrigin> {
        let root: PathBuf = directory.join(CONTENT);
        if !path.starts_with(&root) {
            return None;
        }
        Some(match self.kind {
            RepositoryKind::Git => ManifestOrigin::Checkout { path: path.to_owned(), root },
            RepositoryKind::Manifest => {
                ManifestOrigin::Fetched { path: path.to_owned(), url: Url::parse(&self.url).ok()? }
            }
        })
    }

    /// The address as it may be shown.
    pub fn shown_url(&self) -> String {
        Url::parse(&self.url).map_or_else(|_| self.url.clone(), |url| shown(&url))
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_what_it_is() {
        for url in
            ["https://x/repo.json", "http://x/repo/repo.metadata", "https://x/a.json?ref=main"]
        {
            assert_eq!(RepositoryKind::of(url), RepositoryKind::Manifest, "{url}");
        }
        for url in [
            "https://x/repo.git",
            "https://x/repo",
            "git@x:repo.git",
            "/srv/repo.json",
            "ssh://x/a.json",
        ] {
            assert_eq!(RepositoryKind::of(url), RepositoryKind::Git, "{url}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let added = AddedRepository::new("x", "https://me:secret@x/repo.git", RepositoryKind::Git);
        assert_eq!(added.shown_url(), "https://x/repo.git");
    }
}
