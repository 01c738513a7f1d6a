use std::io;
use std::path::PathBuf;

use crate::utils::BoxError;

/// What goes wrong with a prefix as a directory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrefixError {
    /// There is a prefix already.
    #[error("{} is a prefix already; `lago destroy` removes it, another path makes another one", path.display())]
    Exists {
        /// The directory.
        path: PathBuf,
    },
    /// There is something else.
    #[error("{} exists and is no prefix; nothing was touched. Give a path that does not exist", path.display())]
    NotAPrefix {
        /// The directory.
        path: PathBuf,
    },
    /// The prefix was cleaned up: only logs are left.
    #[error("the prefix {} was cleaned up and has no disks any more; make it anew", path.display())]
    CleanedUp {
        /// The directory.
        path: PathBuf,
    },
    /// The path holds bytes that are no text.
    #[error("{} cannot be used: its path is not UTF-8, and libvirt takes nothing else; choose another one", path.display())]
    NotText {
        /// The path.
        path: PathBuf,
    },
    /// A file of the prefix could not be used.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A disk image could not be made.
    #[error("cannot make disk {disk} of VM {vm}")]
    Disk {
        /// The VM.
        vm: String,
        /// The disk's name.
        disk: String,
        /// What went wrong.
        #[source]
        source: BoxError,
    },
    /// The init file asks for something that this version does not do.
    #[error("VM {vm}: {what}, which this version of lago cannot do; {instead}")]
    Unsupported {
        /// The VM.
        vm: String,
        /// What is asked for.
        what: String,
        /// What can be done instead.
        instead: &'static str,
    },
    /// A network is to join a bridge where there is none.
    #[error(
        "net {net} joins the bridge {bridge} of the machine, and a private host sees none of its bridges; choose a libvirt          with `--host qemu:///system`, or remove `bridge` from the net"
    )]
    NoBridge {
        /// The net.
        net: String,
        /// The bridge.
        bridge: String,
    },
    /// A template is asked for, and there is no place to keep its image.
    #[error(
        "there is no template store, as the user has no home directory; name one with the setting `store`"
    )]
    NoStore,
}
