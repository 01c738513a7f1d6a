//! A directory that holds several prefixes, one of which is the current one.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::constants::{CURRENT_LINK, DEFAULT_WORKDIR};
use crate::paths::Paths;
use crate::prefix::Record;
use crate::utils::{FileError, create_dir};

/// The longest name of a prefix. It becomes part of socket paths and libvirt names, which have limits of their own.
const NAME_LENGTH: usize = 64;

/// A directory that is not the prefix or workdir that it should be.
#[derive(Debug, thiserror::Error)]
pub enum WorkdirError {
    /// There is no prefix.
    #[error("{} holds no lago prefix; create one with `lago init`", path.display())]
    NotAPrefix {
        /// The directory.
        path: PathBuf,
    },
    /// A newer lago has made it.
    #[error(
        "the prefix {} was made by lago {lago}, whose layout lago {} does not know; use the newer lago",
        path.display(), crate::constants::VERSION
    )]
    TooNew {
        /// The prefix.
        path: PathBuf,
        /// The version that made it.
        lago: String,
    },
    /// There is no workdir.
    #[error("there is no workdir {}; create one with `lago init`", path.display())]
    NotAWorkdir {
        /// The directory.
        path: PathBuf,
    },
    /// Neither the directory nor one above it has a workdir.
    #[error(
        "neither {} nor a directory above it is or has a workdir (`{DEFAULT_WORKDIR}`); \
         name one with --workdir, or create one with `lago init`",
        from.display()
    )]
    NotFound {
        /// Where the search began.
        from: PathBuf,
    },
    /// The name of a prefix cannot be one.
    #[error(
        "`{name}` cannot be the name of a prefix: use 1 to {NAME_LENGTH} letters, digits, `.`, `-` and `_`, \
         beginning with a letter or a digit, and not `{CURRENT_LINK}`"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// The workdir has no such prefix.
    #[error("the workdir {} has no prefix `{name}`; it has {}", workdir.display(), listed(has))]
    NoSuchPrefix {
        /// The workdir.
        workdir: PathBuf,
        /// The name that was asked for.
        name: String,
        /// The prefixes that it has.
        has: Vec<String>,
    },
    /// A prefix or something else of that name is there already.
    #[error("{} exists; choose another name, or remove it with `lago destroy`", path.display())]
    Exists {
        /// What exists.
        path: PathBuf,
    },
    /// No prefix is the current one.
    #[error("the workdir {} has no current prefix; choose one with `lago set-current`: it has {}",
        workdir.display(), listed(has))]
    NoCurrent {
        /// The workdir.
        workdir: PathBuf,
        /// The prefixes that it has.
        has: Vec<String>,
    },
    /// A file or directory could not be used.
    #[error(transparent)]
    File(#[from] FileError),
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// A directory that holds several prefixes, with a symbolic link `current` to one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workdir {
    path: PathBuf,
}

impl Workdir {
    /// Creates the directory `path` unless it exists, and opens it.
    pub fn create(path: &Path) -> Result<Self, WorkdirError> {
        create_dir(path)?;
        Self::open(path)
    }

    /// Opens the directory `path`.
    pub fn open(path: &Path) -> Result<Self, WorkdirError> {
        if !path.is_dir() {
            return Err(WorkdirError::NotAWorkdir { path: path.to_owned() });
        }
        let path = path.canonicalize().map_err(FileError::io("open", path))?;
        Ok(Self { path })
    }

    /// Opens the workdir that `from` or the nearest directory above it has as `.lago`, or is itself.
    pub fn find_upwards(from: &Path) -> Result<Self, WorkdirError> {
        let from = from.canonicalize().map_err(FileError::io("open", from))?;
        // A prefix that was made by its path, such as a fork, makes the directory around it look like a workdir.
        let candidates =
            from.ancestors().flat_map(|dir| [dir.join(DEFAULT_WORKDIR), dir.to_owned()]);
        for candidate in candidates {
            let workdir = Self { path: candidate };
            if workdir.holds_any()? {
                return Ok(workdir);
            }
        }
        Err(WorkdirError::NotFound { from })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of its prefixes, in alphabetical order.
    pub fn list(&self) -> Result<Vec<String>, WorkdirError> {
        self.names(Paths::is_prefix)
    }

    /// The names of what killed processes left half made or half removed, in alphabetical order. `lago destroy` removes
    /// them.
    pub fn unfinished(&self) -> Result<Vec<String>, WorkdirError> {
        self.names(|paths| !paths.is_prefix() && paths.unfinished().exists())
    }

    fn names(&self, wanted: impl Fn(&Paths) -> bool) -> Result<Vec<String>, WorkdirError> {
        let read_error = || FileError::io("list", &self.path);
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(read_error())? {
            let entry = entry.map_err(read_error())?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if is_name(&name) && wanted(&Paths::new(entry.path())) {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Where the prefix `name` is or would be.
    pub fn prefix_path(&self, name: &str) -> Result<PathBuf, WorkdirError> {
        if !is_name(name) {
            return Err(WorkdirError::Name { name: name.to_owned() });
        }
        Ok(self.path.join(name))
    }

    /// The path of a new prefix `name`, which must not exist yet.
    pub fn new_prefix_path(&self, name: &str) -> Result<PathBuf, WorkdirError> {
        let path = self.prefix_path(name)?;
        match fs::symlink_metadata(&path) {
            Ok(_) => Err(WorkdirError::Exists { path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path),
            Err(error) => Err(FileError::io("look at", &path)(error).into()),
        }
    }

    /// Takes note of the new prefix `name`: it becomes the current one if there is none.
    pub fn add(&self, name: &str) -> Result<(), WorkdirError> {
        self.resolve(Some(name))?;
        if self.current_name()?.is_none() { self.set_current(name) } else { Ok(()) }
    }

    /// Takes note that the prefix `name` is gone: if it was the current one, the first of the others becomes it.
    /// A workdir without prefixes is removed, unless it holds something else.
    pub fn removed(&self, name: &str) -> Result<(), WorkdirError> {
        match self.link_target()? {
            None => {
                self.remove_if_empty();
                return Ok(());
            }
            Some(target) if target != Path::new(name) => return Ok(()),
            Some(_) => {}
        }
        if let Some(other) = self.list()?.iter().find(|other| *other != name) {
            return self.set_current(other);
        }
        let link = self.link();
        fs::remove_file(&link).map_err(FileError::io("remove", &link))?;
        match fs::remove_dir(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => {
                Err(FileError::io("remove", &self.path)(error).into())
            }
            _ => Ok(()),
        }
    }

    /// Removes the directory if there is nothing in it.
    pub fn remove_if_empty(&self) {
        // The system removes no directory that holds something, which is what is asked for.
        let _ = fs::remove_dir(&self.path);
    }

    /// The name of the current prefix.
    pub fn current(&self) -> Result<String, WorkdirError> {
        match self.current_name()? {
            Some(name) => Ok(name),
            None => Err(WorkdirError::NoCurrent { workdir: self.path.clone(), has: self.list()? }),
        }
    }

    /// Makes the prefix `name` the current one. Whoever looks meanwhile sees the old or the new one.
    pub fn set_current(&self, name: &str) -> Result<(), WorkdirError> {
        self.resolve(Some(name))?;
        let link = self.link();
        let set_error = || FileError::io("set", &link);
        let dir = tempfile::Builder::new()
            .prefix(".current-")
            .tempdir_in(&self.path)
            .map_err(set_error())?;
        let new = dir.path().join(CURRENT_LINK);
        symlink(name, &new).map_err(set_error())?;
        Ok(fs::rename(&new, &link).map_err(set_error())?)
    }

    /// The path of the prefix `name`, or of the current one. It is checked to be a prefix that this version can open.
    pub fn resolve(&self, name: Option<&str>) -> Result<PathBuf, WorkdirError> {
        let name = match name {
            Some(name) => name.to_owned(),
            None => self.current()?,
        };
        let path = self.prefix_path(&name)?;
        match Paths::new(&path).check() {
            Ok(()) => Ok(path),
            Err(WorkdirError::NotAPrefix { .. }) => {
                let has = self.list()?;
                Err(WorkdirError::NoSuchPrefix { workdir: self.path.clone(), name, has })
            }
            Err(error) => Err(error),
        }
    }

    /// Destroys all its prefixes, half-made ones included and each after its forks, and removes the directory, unless it
    /// holds something else.
    pub fn destroy(self) -> crate::Result<()> {
        let names = [self.list()?, self.unfinished()?].concat();
        let prefixes = names.into_iter().map(|name| self.path.join(name));
        let mut left: Vec<(PathBuf, Option<PathBuf>)> =
            prefixes.map(|path| (path.clone(), forked_from(&path))).collect();
        while !left.is_empty() {
            let origins: Vec<_> = left.iter().filter_map(|(_, origin)| origin.clone()).collect();
            let (standing, free): (Vec<_>, Vec<_>) =
                left.into_iter().partition(|(path, _)| origins.contains(path));
            // Without a free one, they would stand on each other: then the first refusal tells.
            let (now, later) = if free.is_empty() { (standing, free) } else { (free, standing) };
            crate::utils::parallel(now, |(path, _)| crate::Prefix::destroy_at(path))?;
            left = later;
        }
        let link = self.link();
        if fs::symlink_metadata(&link).is_ok() {
            fs::remove_file(&link).map_err(FileError::io("remove", &link))?;
        }
        Ok(fs::remove_dir(&self.path).map_err(FileError::io("remove", &self.path))?)
    }

    fn link(&self) -> PathBuf {
        self.path.join(CURRENT_LINK)
    }

    fn link_target(&self) -> Result<Option<PathBuf>, WorkdirError> {
        let link = self.link();
        match fs::read_link(&link) {
            Ok(target) => Ok(Some(target)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(FileError::io("read the link", &link)(error).into()),
        }
    }

    /// The prefix that the link leads to, if it leads to one.
    fn current_name(&self) -> Result<Option<String>, WorkdirError> {
        let target = self.link_target()?;
        let name = target.as_deref().and_then(Path::to_str).filter(|name| is_name(name));
        Ok(name.filter(|name| Paths::new(self.path.join(name)).is_prefix()).map(str::to_owned))
    }

    /// Whether it has prefixes, half-made ones included: who looks for one may want to remove it.
    fn holds_any(&self) -> Result<bool, WorkdirError> {
        if !self.path.is_dir() {
            return Ok(false);
        }
        match self.names(|paths| paths.is_prefix() || paths.unfinished().exists()) {
            Ok(names) => Ok(!names.is_empty()),
            // A directory on the way up that may only be passed through.
            Err(WorkdirError::File(error)) if error.kind() == io::ErrorKind::PermissionDenied => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

/// The prefix that one was forked from. One that cannot be read is removed all the same.
fn forked_from(prefix: &Path) -> Option<PathBuf> {
    let origin = Record::read(&Paths::new(prefix)).ok()?.origin?.prefix;
    Some(origin.canonicalize().unwrap_or(origin))
}

fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    name.len() <= NAME_LENGTH
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(allowed)
        && name != CURRENT_LINK
}

#[cfg(test)]
mod tests;
