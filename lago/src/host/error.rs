//! What can go wrong with a host.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What an operation on a [`Host`](super::Host) fails with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// A private host did not come up. The text holds the cause and, where one is known, the remedy.
    #[error("cannot start the private host in {}: {reason}", dir.display())]
    Start {
        /// The host's directory.
        dir: PathBuf,
        /// What happened, the last lines of the host's log, and what is missing on this machine.
        reason: String,
    },

    /// A private host did not go away.
    #[error("cannot stop the private host in {} (process {pid}): {reason}", dir.display())]
    Stop {
        /// The host's directory.
        dir: PathBuf,
        /// Its first process.
        pid: i32,
        /// What happened.
        reason: String,
    },

    /// The operation needs a running host.
    #[error("the private host in {} is not running: start its prefix first (`lago start`)", dir.display())]
    NotRunning {
        /// The host's directory.
        dir: PathBuf,
    },

    /// Another process holds the host's lock for too long.
    #[error(
        "another process has been starting or stopping the private host in {} for more than {} s: \
         wait for it, or see who holds `{}` (`fuser -v` names it)",
        dir.display(), limit.as_secs(), lock.display()
    )]
    Locked {
        /// The host's directory.
        dir: PathBuf,
        /// The file that is locked.
        lock: PathBuf,
        /// How long this process waited.
        limit: Duration,
    },

    /// A process inside a private host tried to stop it.
    #[error(
        "the private host in {} cannot be stopped by a process that runs inside it: \
         leave it first, then stop it", dir.display()
    )]
    Inside {
        /// The host's directory.
        dir: PathBuf,
    },

    /// The guests of a private host get no way out.
    #[error(
        "the guests of the private host in {} get no way out (`uplink: host`): {reason}",
        dir.display()
    )]
    Uplink {
        /// The host's directory.
        dir: PathBuf,
        /// What happened, and what to do.
        reason: String,
    },

    /// libvirt at a URI does not answer as it should.
    #[error("libvirt at {uri} does not answer: {reason}; `lago doctor` says what is missing")]
    Libvirt {
        /// The URI.
        uri: String,
        /// libvirt's own message, or the limit that passed.
        reason: String,
    },

    /// No TCP connection within the limit.
    #[error("cannot connect to {address} on the host: {source}")]
    Connect {
        /// The address, as seen from the host's network.
        address: SocketAddr,
        /// What happened; `TimedOut` when the limit passed.
        source: io::Error,
    },

    /// The address is not to be had.
    #[error(
        "cannot listen at {address} on the host: {source}; it has to be an address of the host's own, and free"
    )]
    Listen {
        /// The address, as seen from the host's network.
        address: SocketAddr,
        /// What happened.
        source: io::Error,
    },

    /// A call to the operating system failed.
    #[error("cannot {doing}: {source}")]
    Io {
        /// What was being done, to what.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
}

impl HostError {
    /// Adds to an I/O error what was being done.
    pub(super) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    /// What kept a connection from coming about, for who knows its address anyway.
    pub(crate) fn into_io(self) -> io::Error {
        match self {
            Self::Connect { source, .. } => source,
            other => io::Error::other(other),
        }
    }
}
