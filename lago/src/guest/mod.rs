//! Everything that talks into a guest.
//!
//! A command is a [`Cmd`], written with [`cmd!`](crate::cmd); what it left behind is an [`Output`]. The way in is
//! [`Ssh`]: commands, files and an interactive shell over a pool of sessions that verify the guest's host key.

pub mod agent;
mod command;
pub mod console;
mod error;
mod host_key;
pub mod keys;
pub(crate) mod known_hosts;
pub mod os_release;
mod output;
mod quote;
pub mod service;
pub mod ssh;

pub use agent::{Agent, AgentChannel, AgentFault, AgentOutput};
pub use command::{Cmd, DEFAULT_COMMAND_LIMIT};
pub use error::{CommandFailed, ConnectStep, GuestError};
pub use host_key::HostKey;
pub use os_release::OsRelease;
pub use output::{GuestStatus, Output};
pub use service::{Runner, Service, ServiceState};
pub use ssh::{Password, Reach, Ssh, SshTarget, Streams, Terminal, Transferred};

/// A result with [`GuestError`].
pub type Result<T, E = GuestError> = std::result::Result<T, E>;
