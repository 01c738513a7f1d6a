//! What goes wrong with repositories.

use std::io;
use std::path::{Path, PathBuf};

use lago::dirlock::LockError;
use lago::host::HostError;
use lago::utils::CommandError;

use super::Family;
use super::verify::Problem;

/// What goes wrong with repositories.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepoError {
    /// A tool could not be run, or failed.
    #[error("cannot {doing}: {source}")]
    Tool {
        /// What was being done, to what.
        doing: String,
        /// How it failed.
        #[source]
        source: Box<CommandError>,
    },
    /// A sync failed, and what is here from earlier ones is not all that there should be.
    #[error(
        "{failed}; and what is in {} from earlier is not complete, so it cannot be used instead: {}", dir.display(),
        list(problems)
    )]
    Incomplete {
        /// Why the sync failed.
        failed: Box<RepoError>,
        /// What was looked at.
        dir: PathBuf,
        /// What is wrong.
        problems: Vec<Problem>,
    },
    /// A sync failed, and there is nothing from earlier.
    #[error("{failed}; and nothing is in {} from an earlier sync: {missing}", dir.display())]
    NothingEarlier {
        /// Why the sync failed.
        failed: Box<RepoError>,
        /// What was looked at.
        dir: PathBuf,
        /// Why there is nothing.
        missing: Box<RepoError>,
    },
    /// There are no packages at all, so there is nothing to serve.
    #[error(
        "there is no {} package in {}, so there is nothing to make a repository of", family.kind(),
        dirs.iter().map(|dir| dir.display().to_string()).collect::<Vec<_>>().join(" or ")
    )]
    NoPackages {
        /// What was looked for.
        family: Family,
        /// Where.
        dirs: Vec<PathBuf>,
    },
    /// An index cannot be understood.
    #[error("{} is no index of packages that can be used: {reason}", path.display())]
    Index {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// An index names a file outside of its repository.
    #[error("{} names the file `{file}`, which is not in the repository", index.display())]
    Escapes {
        /// The index.
        index: PathBuf,
        /// What it names.
        file: String,
    },
    /// The configuration names no repository.
    #[error("{} names no repository that is enabled", path.display())]
    NoRepository {
        /// The configuration.
        path: PathBuf,
    },
    /// A file or directory could not be used.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was being done, to what.
        doing: String,
        /// How it failed.
        #[source]
        source: io::Error,
    },
    /// Somebody else uses the directory.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The server cannot listen.
    #[error("cannot serve packages: {0}")]
    Listen(#[from] HostError),
    /// The prefix has no network to serve on.
    #[error("the prefix has no management network to serve packages on")]
    NoNetwork,
}

impl RepoError {
    /// For `map_err` after a call to the operating system about a file: `verb` and the file say what was being done.
    pub(super) fn io(verb: &str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let doing = format!("{verb} {}", path.display());
        move |source| Self::Io { doing, source }
    }

    /// For `map_err` after a tool.
    pub(super) fn tool(doing: impl Into<String>) -> impl FnOnce(CommandError) -> Self {
        let doing = doing.into();
        move |source| Self::Tool { doing, source: Box::new(source) }
    }

    pub(super) fn index(path: &Path, reason: &impl ToString) -> Self {
        Self::Index { path: path.to_owned(), reason: reason.to_string() }
    }
}

/// How many problems an error lists; more say nothing new.
const LISTED: usize = 5;

fn list(problems: &[Problem]) -> String {
    let more = problems.len().saturating_sub(LISTED);
    let listed = problems.iter().take(LISTED).map(Problem::to_string);
    listed.chain((more > 0).then(|| format!("and {more} more"))).collect::<Vec<_>>().join("; ")
}
