//! What can go wrong with an identity or a change.

use std::path::PathBuf;

use ssh_key::Algorithm;

use super::values::HOSTNAME_LENGTH;
use crate::dirlock::LockError;
use crate::host::Check;
use crate::utils::{CommandError, FileError};

/// An identity that cannot be written, or a disk that cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum SysprepError {
    /// The host name is not one.
    #[error(
        "`{}` cannot be a host name: use at most {HOSTNAME_LENGTH} letters, digits, `-`, `_` and `.`, \
         beginning and ending with a letter or a digit; rename the VM in the init file",
        hostname.escape_debug()
    )]
    Hostname {
        /// The name.
        hostname: String,
    },
    /// The password holds what cannot be typed or stored.
    #[error(
        "the root password of {hostname} is empty or holds a control character such as a line break; \
         change `root-password` in the init file"
    )]
    Password {
        /// The VM.
        hostname: String,
    },
    /// The MAC address is not one.
    #[error("NIC {nic} of {hostname}: `{}` is no MAC address, such as 54:52:c0:a8:c8:02", mac.escape_debug())]
    Mac {
        /// The VM.
        hostname: String,
        /// The NIC's position.
        nic: usize,
        /// The address.
        mac: String,
    },
    /// The host key is of another kind.
    #[error(
        "the host key of {hostname} is {algorithm}; the seed needs an ed25519 key without a passphrase"
    )]
    HostKey {
        /// The VM.
        hostname: String,
        /// Its kind.
        algorithm: Algorithm,
    },
    /// A key could not be encoded.
    #[error("cannot encode an ssh key of {hostname}")]
    Key {
        /// The VM.
        hostname: String,
        /// Why not.
        #[source]
        source: ssh_key::Error,
    },
    /// The volume could not be built.
    #[error("cannot build the seed of {hostname}")]
    Volume {
        /// The VM.
        hostname: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A [`Modification`](super::Modification) makes no sense.
    #[error("{reason}")]
    Modification {
        /// What is wrong with it, and what is right.
        reason: String,
    },
    /// libguestfs is not installed, or cannot start its machine.
    #[error("disks cannot be changed on this machine. {check}")]
    Unavailable {
        /// What is missing, and the command that mends it.
        check: Check,
    },
    /// libguestfs failed.
    #[error("libguestfs could not change the disk {}", disk.display())]
    Libguestfs {
        /// The disk.
        disk: PathBuf,
        /// What it said.
        #[source]
        source: CommandError,
    },
    /// The file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A directory could not be locked.
    #[error(transparent)]
    Lock(#[from] LockError),
}
