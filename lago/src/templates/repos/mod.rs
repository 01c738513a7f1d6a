//! Template repositories that were added: git repositories with manifests in them, and manifests from web servers.

mod git;
mod record;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use record::{AddedRepository, RepositoryKind};

use self::record::{CONTENT, MANIFEST};
use super::discovery::{self, manifests_below};
use super::error::TemplateError;
use super::manifest::check_name;
use super::origin::ManifestOrigin;
use super::repository::fetch_manifest;
use super::transfer::Transfer;
use crate::dirlock::{self, DirLock, Mode};
use crate::utils::{FileError, PRIVATE_MODE, create_dir, write_file};

/// How long to wait for another process that adds or updates repositories.
const LOCK_LIMIT: Duration = Duration::from_secs(900);

/// What became of a repository that was to be updated.
#[derive(Debug)]
pub struct Update {
    /// Its name.
    pub name: String,
    /// What it is now, or why it stays as it was.
    pub result: Result<AddedRepository, TemplateError>,
}

/// The directory of the user's template repositories.
///
/// Each repository that was added has a directory of its name, with `added.json` (where it comes from) and `content` (what
/// came). Manifests that the user puts there by hand count too, `user.json` among them, which `lago template add` writes.
#[derive(Debug, Clone)]
pub struct TemplateRepos {
    path: PathBuf,
}

impl TemplateRepos {
    /// The repositories in the directory `path`, which need not exist.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds the repository at `url`: a manifest when the address ends with `.json` or `.metadata`, otherwise a git
    /// repository. It is called `name`, or as the last part of the address is.
    ///
    /// # Errors
    /// When the name is taken, nothing can be fetched, or there is no usable manifest. Nothing is added then.
    pub fn add(&self, url: &str, name: Option<&str>) -> Result<AddedRepository, TemplateError> {
        let name = name.map_or_else(|| name_of(url), str::to_owned);
        check_name("repository", &name).map_err(|reason| TemplateError::Name { reason })?;
        let kind = RepositoryKind::of(url);
        let _lock = self.lock()?;
        let directory = self.path.join(&name);
        if directory.exists() {
            return Err(TemplateError::RepositoryExists { name, directory });
        }
        self.bring(&AddedRepository::new(&name, url, kind), &directory)
    }

    /// Brings the repository `name`, or all that were added, to what their addresses have now.
    ///
    /// # Errors
    /// When there is none of that name. One that cannot be updated stays as it is, and the others are updated all the same.
    pub fn update(&self, name: Option<&str>) -> Result<Vec<Update>, TemplateError> {
        let _lock = self.lock()?;
        let wanted = match name {
            Some(name) => vec![self.find(name)?],
            None => self.list()?,
        };
        let update = |old: AddedRepository| {
            let directory = self.path.join(&old.name);
            Update { name: old.name.clone(), result: self.bring(&old.again(), &directory) }
        };
        Ok(wanted.into_iter().map(update).collect())
    }

    /// The repositories that were added, by name.
    pub fn list(&self) -> Result<Vec<AddedRepository>, TemplateError> {
        let mut found: Vec<AddedRepository> =
            self.directories()?.iter().filter_map(|path| AddedRepository::read(path)).collect();
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    /// Removes a repository. Images that came from it stay in the store.
    ///
    /// # Errors
    /// When none of that name was added.
    pub fn remove(&self, name: &str) -> Result<(), TemplateError> {
        let _lock = self.lock()?;
        let directory = self.path.join(self.find(name)?.name);
        Ok(fs::remove_dir_all(&directory).map_err(FileError::io("remove", &directory))?)
    }

    /// All manifests: those of the user's own come first. Without the directory there are none.
    pub fn manifests(&self) -> Result<Vec<ManifestOrigin>, TemplateError> {
        if !self.path.exists() {
            return Ok(Vec::new());
        }
        let (mut own, mut added) = (Vec::new(), Vec::new());
        for path in manifests_below(&self.path)? {
            let root = self.added_directory(&path);
            match root.and_then(|root| Some((AddedRepository::read(&root)?, root))) {
                Some((repository, root)) => added.extend(repository.origin(&root, &path)),
                None => own.push(ManifestOrigin::File(path)),
            }
        }
        own.extend(added);
        Ok(own)
    }

    /// Fetches a repository beside its directory, and puts it there when it turns out to be one.
    fn bring(
        &self,
        repository: &AddedRepository,
        directory: &Path,
    ) -> Result<AddedRepository, TemplateError> {
        let new = tempfile::Builder::new()
            .prefix(".new-")
            .tempdir_in(&self.path)
            .map_err(FileError::io("create a directory in", &self.path))?;
        let content = new.path().join(CONTENT);
        match repository.kind {
            RepositoryKind::Git => git::clone(&repository.url, &content)?,
            RepositoryKind::Manifest => {
                let (text, _) = fetch_manifest(&repository.url, &Transfer::shared())?;
                create_dir(&content)?;
                write_file(&content.join(MANIFEST), text.as_bytes(), PRIVATE_MODE)?;
            }
        }
        let templates = templates_in(repository, new.path(), &content)?;
        let repository = AddedRepository { templates, ..repository.clone() };
        repository.write(new.path())?;
        exchange(new.path(), directory).map_err(FileError::io("replace", directory))?;
        Ok(repository)
    }

    fn find(&self, name: &str) -> Result<AddedRepository, TemplateError> {
        let all = self.list()?;
        let known = all.iter().map(|repository| repository.name.clone()).collect();
        let found = all.into_iter().find(|repository| repository.name == name);
        found.ok_or_else(|| TemplateError::NoRepository { name: name.to_owned(), known })
    }

    fn directories(&self) -> Result<Vec<PathBuf>, FileError> {
        let entries = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(FileError::io("list", &self.path))?,
        };
        let paths =
            entries.map(|entry| Ok(entry.map_err(FileError::io("list", &self.path))?.path()));
        let visible = |path: &PathBuf| {
            path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.'))
        };
        paths
            .filter(|path| {
                path.as_ref().is_ok_and(|path| visible(path) && path.is_dir()) || path.is_err()
            })
            .collect()
    }

    /// The directory right below this one that has the file, if it is in one.
    fn added_directory(&self, path: &Path) -> Option<PathBuf> {
        let mut parts = path.strip_prefix(&self.path).ok()?.components();
        let first = parts.next()?;
        parts.next().is_some().then(|| self.path.join(first))
    }

    pub(super) fn lock(&self) -> Result<DirLock, TemplateError> {
        create_dir(&self.path)?;
        Ok(dirlock::lock(&self.path, Mode::Exclusive, LOCK_LIMIT)?)
    }
}

/// The templates of a repository that has just come.
///
/// # Errors
/// When it has no manifest that can be read: what is wrong with the first one.
fn templates_in(
    repository: &AddedRepository,
    root: &Path,
    content: &Path,
) -> Result<Vec<String>, TemplateError> {
    let mut templates = Vec::new();
    let mut wrong = Vec::new();
    let mut readable = false;
    for path in manifests_below(content)? {
        let origin = repository.origin(root, &path).unwrap_or(ManifestOrigin::File(path));
        match discovery::read(&origin) {
            Ok(read) => {
                readable = true;
                templates.extend(read.templates().map(|template| template.name().to_owned()));
            }
            Err(error) => wrong.push(error),
        }
    }
    if readable {
        for error in &wrong {
            tracing::warn!("{error}");
        }
        return Ok(templates);
    }
    let none = || TemplateError::NoManifest { url: repository.shown_url() };
    Err(wrong.into_iter().next().unwrap_or_else(none))
}

/// Puts the directory `new` in the place of `directory`, in one step. What was there goes to `new`.
fn exchange(new: &Path, directory: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    if !directory.exists() {
        fs::rename(new, directory)?;
        // It is removed at the end of its life.
        return fs::create_dir(new);
    }
    Ok(renameat_with(CWD, new, CWD, directory, RenameFlags::EXCHANGE)?)
}

/// The last part of an address, without its extension.
fn name_of(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let last = path.rsplit(['/', ':']).next().unwrap_or_default();
    let stem = [".git", ".json", ".metadata"].iter().find_map(|suffix| last.strip_suffix(suffix));
    stem.unwrap_or(last).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_called_as_its_address_ends() {
        for (url, name) in [
            ("https://git.example.org/team/templates.git", "templates"),
            ("https://git.example.org/team/templates/", "templates"),
            ("git@example.org:templates.git", "templates"),
            ("https://x/repo/repo.metadata", "repo"),
            ("https://x/images.json?ref=main", "images"),
            ("/srv/git/office", "office"),
        ] {
            assert_eq!(name_of(url), name, "{url}");
        }
    }
}
