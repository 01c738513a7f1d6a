//! The crate's error type.

use std::path::PathBuf;
use std::time::Duration;

use lago::guest::GuestStatus;
use lago::utils::Failures;

use crate::api::ApiError;

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
    /// The engine's service does not run.
    #[error(
        "the engine on VM {vm} is not there after {limit:?}: the service ovirt-engine does not run: {state}. `journalctl -u \
         ovirt-engine` in the VM says more; `engine-setup` makes it"
    )]
    EngineService {
        /// The VM.
        vm: String,
        /// How long it was waited for.
        limit: Duration,
        /// What the service is doing, or why that is not known.
        state: String,
    },
    /// The engine's service runs, and its API does not answer.
    #[error(
        "the engine on VM {vm} is not there after {limit:?}: the service ovirt-engine runs, and the API does not answer. \
         /var/log/ovirt-engine in the VM says more"
    )]
    EngineApi {
        /// The VM.
        vm: String,
        /// How long it was waited for.
        limit: Duration,
        /// What became of the last call.
        #[source]
        last: Box<ApiError>,
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

/// A result with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
