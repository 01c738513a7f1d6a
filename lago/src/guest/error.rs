//! What goes wrong on the way into a guest.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::GuestStatus;

/// A step of opening an ssh session, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectStep {
    /// The TCP connection.
    Tcp,
    /// The server's first line.
    Greeting,
    /// Agreeing on keys.
    KeyExchange,
    /// Proving who the user is.
    Authentication,
    /// Opening a channel on the session.
    Channel,
}

impl fmt::Display for ConnectStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "connecting by TCP",
            Self::Greeting => "waiting for the ssh server's greeting",
            Self::KeyExchange => "exchanging keys",
            Self::Authentication => "authenticating",
            Self::Channel => "opening a channel",
        })
    }
}

/// Why something could not be done in a guest. Every message names the VM and what was being done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuestError {
    /// The guest agent gave no answer, or refused.
    #[error("{vm}: the guest agent did not {what}: {detail}")]
    Agent {
        /// The VM's name.
        vm: String,
        /// What it was asked to do.
        what: &'static str,
        /// What libvirt or the agent said.
        detail: String,
    },
    /// No session could be opened.
    #[error("{vm}: no ssh session with {address}: {step}: {detail}")]
    Unreachable {
        /// The VM's name.
        vm: String,
        /// Where its ssh server should be.
        address: SocketAddr,
        /// How far it came.
        step: ConnectStep,
        /// What happened.
        detail: String,
    },
    /// Another server answered, or the guest has lost its identity. The connection was closed at once.
    #[error(
        "{vm}: the ssh server at {address} has another host key than this VM: expected {expected}, \
         found {found}; the guest has lost its identity or did not take the one it was given, or another machine has its \
         address"
    )]
    HostKeyMismatch {
        /// The VM's name.
        vm: String,
        /// Where the server is.
        address: SocketAddr,
        /// The fingerprint of the VM's key, and where it is kept if it was learnt.
        expected: String,
        /// The fingerprint of the key that was offered.
        found: String,
    },
    /// The guest does not let the user in with this key.
    #[error(
        "{vm}: the guest does not accept the key {} for user {user}: {detail}; see whether the public key is in \
         the user's authorized_keys in the guest",
        identity.display()
    )]
    Authentication {
        /// The VM's name.
        vm: String,
        /// The user in the guest.
        user: String,
        /// The private key's file.
        identity: PathBuf,
        /// The server's answer.
        detail: String,
    },
    /// The guest did not answer ssh in time.
    #[error(
        "{vm}: ssh does not answer after {limit:?}; the last try failed so: {last}{unfinished}{console}"
    )]
    NotReady {
        /// The VM's name.
        vm: String,
        /// How long was waited.
        limit: Duration,
        /// How the last try ended that came to its end; how far the only one was, if the limit cut that off.
        last: Box<GuestError>,
        /// How far a try was that began after it and was cut off by the limit, if there was one.
        unfinished: String,
        /// The console's last lines, under a heading, if any.
        console: String,
    },
    /// A limit passed. What ran is left behind in the guest; its session is closed.
    #[error("{vm}: {what}: not finished after its limit of {limit:?}{so_far}")]
    TimedOut {
        /// The VM's name.
        vm: String,
        /// What was being done.
        what: String,
        /// The limit.
        limit: Duration,
        /// The end of the output until then, under headings, if any.
        so_far: String,
    },
    /// The VM stopped meanwhile.
    #[error("{vm}: {what}: the VM is gone: {reason}{so_far}{console}")]
    VmGone {
        /// The VM's name.
        vm: String,
        /// What was being done.
        what: String,
        /// What became of the VM.
        reason: String,
        /// The end of the output until then, under headings, if any.
        so_far: String,
        /// The console's last lines, under a heading, if any.
        console: String,
    },
    /// The session broke, so that nobody knows how far it came.
    #[error(
        "{vm}: {what}: the ssh session broke: {detail}; how far the guest came is unknown, so it is not tried again{so_far}"
    )]
    ConnectionLost {
        /// The VM's name.
        vm: String,
        /// What was being done.
        what: String,
        /// What happened to the session.
        detail: String,
        /// The end of the output until then, under headings, if any.
        so_far: String,
    },
    /// A command ended with another status than exit code 0.
    #[error(transparent)]
    CommandFailed(#[from] Box<CommandFailed>),
    /// A command that cannot be sent.
    #[error("the command `{command}` cannot be run in a guest: {reason}")]
    InvalidCommand {
        /// The command, shortened.
        command: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Input for a command could not be read here, or its output not be written here.
    #[error("{vm}: {what}: {stream} failed on this side: {detail}")]
    Stream {
        /// The VM's name.
        vm: String,
        /// What was being done.
        what: String,
        /// Which stream.
        stream: &'static str,
        /// What happened.
        detail: String,
    },
    /// A file or directory could not be copied.
    #[error("{vm}: {what}: {detail}")]
    Transfer {
        /// The VM's name.
        vm: String,
        /// What was being copied.
        what: String,
        /// Which path, and what happened to it.
        detail: String,
    },
    /// A key file cannot be made or used.
    #[error("ssh key {}: {detail}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What happened.
        detail: String,
    },
    /// A service could not be looked at or changed.
    #[error("{vm}: service {service}: {detail}")]
    Service {
        /// The VM's name.
        vm: String,
        /// The service.
        service: String,
        /// What happened.
        detail: String,
    },
    /// Nothing is known that controls the guest's services.
    #[error("{vm}: the guest's services cannot be controlled: {detail}")]
    Services {
        /// The VM's name.
        vm: String,
        /// What was looked for.
        detail: String,
    },
    /// A file of the guest does not say what it should.
    #[error("{vm}: {path} in the guest is not understood: {detail}")]
    Content {
        /// The VM's name.
        vm: String,
        /// The file in the guest.
        path: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// The user's terminal failed, or a signal asked to leave.
    #[error("{vm}: interactive shell: {detail}")]
    Terminal {
        /// The VM's name.
        vm: String,
        /// What happened.
        detail: String,
    },
}

/// A command that ended with another status than exit code 0.
#[derive(Debug, thiserror::Error)]
#[error("{vm}: `{command}` ended with {status}{tails}")]
pub struct CommandFailed {
    /// The VM's name.
    pub vm: String,
    /// The command, shortened.
    pub command: String,
    /// How it ended.
    pub status: GuestStatus,
    /// The ends of its standard error and output, under headings.
    pub tails: String,
}
