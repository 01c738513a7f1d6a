//! Waiting for a session's socket, within a limit and while the VM lives.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, Timespec, poll};
use rustix::io::Errno;
use ssh2::ErrorCode;

use super::Reach;

/// How often a wait looks whether the VM is still there.
const TICK: Duration = Duration::from_millis(500);

/// libssh2's number for "not yet, call again".
const LIBSSH2_ERROR_EAGAIN: i32 = -37;

/// libssh2's numbers for a connection that ended.
const LIBSSH2_ERROR_SOCKET_DISCONNECT: i32 = -13;
const LIBSSH2_ERROR_SOCKET_RECV: i32 = -43;

/// Why something on a session did not finish.
#[derive(Debug)]
pub(super) enum Fault {
    /// This limit passed.
    Limit(Duration),
    /// The VM is gone, and why.
    Gone(String),
    /// libssh2, or the guest through it, refused.
    Ssh(ssh2::Error),
    /// The socket failed, or a read or write of a file in the guest.
    Io(io::Error),
    /// A reader or writer of the caller's failed.
    Local {
        /// Which one.
        stream: &'static str,
        /// How.
        error: io::Error,
    },
}

impl Fault {
    /// Whether the call that returned this is to be made again when the socket is ready.
    pub(super) fn would_block(&self) -> bool {
        match self {
            Self::Ssh(error) => error.code() == ErrorCode::Session(LIBSSH2_ERROR_EAGAIN),
            Self::Io(error) => error.kind() == io::ErrorKind::WouldBlock,
            _ => false,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit(limit) => write!(f, "no answer within {:.1} s", limit.as_secs_f64()),
            Self::Gone(reason) => write!(f, "the VM is gone: {reason}"),
            Self::Ssh(error) if is_closed(error) => {
                write!(f, "the guest closed the connection ({})", error.message())
            }
            Self::Ssh(error) => f.write_str(error.message()),
            Self::Io(error) => error.fmt(f),
            Self::Local { stream, error } => write!(f, "{stream}: {error}"),
        }
    }
}

/// Whether libssh2's message is about something that the connection's end cut off.
fn is_closed(error: &ssh2::Error) -> bool {
    matches!(
        error.code(),
        ErrorCode::Session(LIBSSH2_ERROR_SOCKET_DISCONNECT | LIBSSH2_ERROR_SOCKET_RECV)
    )
}

impl From<ssh2::Error> for Fault {
    fn from(error: ssh2::Error) -> Self {
        Self::Ssh(error)
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A limit that runs, and the VM it is about.
#[derive(Clone, Copy)]
pub(super) struct Watch<'a> {
    reach: &'a dyn Reach,
    limit: Duration,
    end: Option<Instant>,
    /// The run of the VM that this began in.
    run: Option<u32>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(reach: &'a dyn Reach, limit: Duration) -> Self {
        // A limit beyond what the clock can hold is none.
        Self { reach, limit, end: Instant::now().checked_add(limit), run: reach.run() }
    }

    pub(super) fn unlimited(reach: &'a dyn Reach) -> Self {
        Self::new(reach, Duration::MAX)
    }

    /// The same, for what goes on when the VM is started anew.
    pub(super) fn of_any_run(self) -> Self {
        Self { run: None, ..self }
    }

    /// The same VM, with a limit for one step that never exceeds the whole.
    pub(super) fn at_most(&self, limit: Duration) -> Self {
        Self { run: self.run, ..Self::new(self.reach, limit.min(self.remaining())) }
    }

    pub(super) fn remaining(&self) -> Duration {
        self.end.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()))
    }

    pub(super) fn check_limit(&self) -> Result<(), Fault> {
        if self.remaining().is_zero() { Err(Fault::Limit(self.limit)) } else { Ok(()) }
    }

    pub(super) fn check_vm(&self) -> Result<(), Fault> {
        if let Some(reason) = self.reach.gone() {
            return Err(Fault::Gone(reason));
        }
        match (self.run, self.reach.run()) {
            (Some(before), Some(now)) if before != now => Err(Fault::Gone(
                "it was put back to a snapshot or started anew meanwhile".to_owned(),
            )),
            _ => Ok(()),
        }
    }

    /// Waits until one of the descriptors is ready, a signal came or a tick passed.
    pub(super) fn poll(&self, fds: &mut [PollFd<'_>]) -> Result<(), Fault> {
        self.check_limit()?;
        let tick = Timespec::try_from(TICK.min(self.remaining())).ok();
        match poll(fds, tick.as_ref()) {
            Ok(0) => self.check_vm(),
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(Fault::Io(errno.into())),
        }
    }
}
