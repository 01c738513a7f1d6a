use std::io;
use std::path::PathBuf;

use crate::host::Check;
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
    /// What an image stands on is neither there nor the name of a template.
    #[error(
        "the image {} stands on {}, which is not there and is no template: export it anew with --standalone", image.display(),
        base.display()
    )]
    NoBase {
        /// The image.
        image: PathBuf,
        /// What it stands on.
        base: PathBuf,
    },
    /// An image is to stand on a template whose image is another one now.
    #[error(
        "an exported image stands on the template {template} with the digest {expected}, and the one here has {found}: \
         name the repository that has the same one"
    )]
    OtherBase {
        /// The template and its version.
        template: String,
        /// What its digest has to be.
        expected: String,
        /// What it is.
        found: String,
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
    /// A machine that lago does not start cannot be part of the prefix.
    #[error("VM {vm} is a machine that exists already, and {reason}")]
    Remote {
        /// The machine.
        vm: String,
        /// Why not.
        reason: String,
    },
    /// UEFI firmware is asked for, and not installed.
    #[error("VM {vm} is to start from UEFI firmware. {missing}")]
    NoFirmware {
        /// The VM.
        vm: String,
        /// What `lago doctor` says of it.
        missing: Box<Check>,
    },
    /// A template is asked for, and there is no place to keep its image.
    #[error(
        "there is no template store, as the user has no home directory; name one with the setting `store`"
    )]
    NoStore,
}
