//! The crate's error type.

use std::path::PathBuf;
use std::time::Duration;

use lago::guest::GuestStatus;
use lago::templates::TemplateError;
use lago::utils::Failures;

use crate::api::ApiError;
use crate::testlib::external::URL;
use crate::testlib::which_engine::{REPOS, TEMPLATES};

/// What goes wrong in an oVirt environment.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A VM, a prefix, a wait.
    #[error(transparent)]
    Lago(#[from] lago::Error),
    /// The engine's API.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// Several things failed.
    #[error(transparent)]
    Several(Box<Failures<Error>>),
    /// A wait that passed its limit.
    #[error(transparent)]
    TimedOut(#[from] lago::utils::TimedOut),
    /// What was brought to rest for a snapshot does not come up again.
    #[error("the snapshot was taken, and then not all came up again: {0}")]
    Restore(#[source] lago::utils::UndoError),
    /// The init file's metadata of a VM make no sense.
    #[error("the metadata of VM {vm} in the init file: `{key}` {reason}")]
    Metadata {
        /// The VM.
        vm: String,
        /// The key.
        key: &'static str,
        /// What is wrong with its value.
        reason: String,
    },
    /// The environment variables name two engines.
    #[error(
        "{TEMPLATES} and {URL} are both set, and a suite runs against one engine; unset one of them"
    )]
    TwoEngines,
    /// The template repository with oVirt cannot be used.
    #[error("{TEMPLATES} names {}, which is no template repository", manifest.display())]
    NoTemplates {
        /// What should be its manifest.
        manifest: PathBuf,
        /// Why it is none.
        #[source]
        source: Box<TemplateError>,
    },
    /// A template repository lacks templates of oVirt's machines.
    #[error(
        "{TEMPLATES} names {}, which has no template {}; it has {}. Templates of these names are of Enterprise Linux, and have \
         oVirt's packages or get them from the environment's deploy scripts",
        manifest.display(), missing.join(", "), listed(known)
    )]
    MissingTemplates {
        /// The repository's manifest.
        manifest: PathBuf,
        /// What it lacks.
        missing: Vec<&'static str>,
        /// What it has.
        known: Vec<String>,
    },
    /// There are no packages where they should be.
    #[error(
        "{REPOS} names {}, which is no directory; `lago ovirt reposetup` makes one, `internal_repo` in its prefix",
        directory.display()
    )]
    NoRepos {
        /// What should be a directory.
        directory: PathBuf,
    },
    /// There is no engine.
    #[error(
        "no VM is an oVirt engine; give one of them the metadata `ovirt-role: engine` in the init file"
    )]
    NoEngine,
    /// There are several engines.
    #[error("{} are oVirt engines all of them; an environment has one", vms.join(", "))]
    SeveralEngines {
        /// The VMs.
        vms: Vec<String>,
    },
    /// The engine's machine does not say what it does.
    #[error(
        "the engine on VM {vm} is not there{}: the VM has not said by then whether the service ovirt-engine runs. \
         `lago console {vm}` shows what it does",
        after(*limit)
    )]
    EngineMachine {
        /// The VM.
        vm: String,
        /// How long it was waited for; zero if it was not.
        limit: Duration,
    },
    /// The engine's service does not run.
    #[error(
        "the engine on VM {vm} is not there{}: the service ovirt-engine does not run: {state}. `journalctl -u \
         ovirt-engine` in the VM says more; `engine-setup` makes it",
        after(*limit)
    )]
    EngineService {
        /// The VM.
        vm: String,
        /// How long it was waited for; zero if it was not.
        limit: Duration,
        /// What the service is doing.
        state: String,
    },
    /// The engine's service runs, and its API does not answer.
    #[error(
        "the engine on VM {vm} is not there{}: the service ovirt-engine runs, and the API does not answer{}. \
         /var/log/ovirt-engine in the VM says more",
        after(*limit), if last.is_some() { "" } else { ", or was not asked before" }
    )]
    EngineApi {
        /// The VM.
        vm: String,
        /// How long it was waited for; zero if it was not.
        limit: Duration,
        /// What became of the last call; none had ended.
        #[source]
        last: Option<Box<ApiError>>,
    },
    /// The engine's machine does not give the certificate of its authority.
    #[error("VM {vm} does not give the certificate of the engine's authority: {reason}")]
    NoAuthority {
        /// The VM.
        vm: String,
        /// What came instead.
        reason: String,
    },
    /// A program in a guest failed.
    #[error("{what} on VM {vm} ended with {status}; {hint}{said}")]
    Guest {
        /// The VM.
        vm: String,
        /// What failed.
        what: String,
        /// How it ended.
        status: GuestStatus,
        /// What to do next.
        hint: String,
        /// The end of what it printed.
        said: String,
    },
    /// A file of this machine cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The engine's VM is down.
    #[error(
        "VM {vm}, which is the engine, is {state}, and nothing can be brought to rest or up without it; `lago start {vm}` starts it"
    )]
    EngineDown {
        /// The VM.
        vm: String,
        /// What it is instead of running.
        state: String,
    },
    /// Somebody has interrupted it.
    #[error("interrupted")]
    Interrupted,
    /// An object of the engine's got into a state from which it does not become what it is waited for.
    #[error("{what} is {state}, and so does not become {wanted}; the engine's events say why")]
    DeadEnd {
        /// What.
        what: String,
        /// Its state.
        state: String,
        /// What it was to become.
        wanted: &'static str,
    },
}

impl<E: Into<Error>> From<Failures<E>> for Error {
    fn from(failures: Failures<E>) -> Self {
        let first = failures.first.into();
        if failures.others.is_empty() {
            return first;
        }
        Self::Several(Box::new(Failures { first, others: failures.others }))
    }
}

fn after(limit: Duration) -> String {
    if limit.is_zero() { String::new() } else { format!(" after {limit:?}") }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none at all".to_owned() } else { names.join(", ") }
}

/// A result with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
