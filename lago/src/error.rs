//! The crate's error type. Each room has an enum of its own, so that a caller can match on what it asked for; all of
//! them convert into [`Error`].

use crate::utils::Failures;

/// What any operation of this crate fails with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Several things failed, or an undo step failed after the first failure.
    #[error(transparent)]
    Several(Box<Failures<Error>>),
    /// A program of the host.
    #[error(transparent)]
    Command(#[from] crate::utils::CommandError),
    /// A file.
    #[error(transparent)]
    File(#[from] crate::utils::FileError),
    /// A wait that passed its limit.
    #[error(transparent)]
    TimedOut(#[from] crate::utils::TimedOut),
    /// A lock on a directory.
    #[error(transparent)]
    Lock(#[from] crate::dirlock::LockError),
    /// A directory that is not the prefix or workdir that it should be.
    #[error(transparent)]
    Workdir(#[from] crate::workdir::WorkdirError),
    /// The identity of a VM.
    #[error(transparent)]
    Sysprep(#[from] crate::sysprep::SysprepError),
    /// A template.
    #[error(transparent)]
    Template(#[from] crate::templates::TemplateError),
    /// The init file cannot be used, or leaves nothing to plan.
    #[error(transparent)]
    Spec(#[from] crate::spec::SpecError),
    /// A bridge.
    #[error(transparent)]
    Bridge(#[from] crate::brctl::BridgeError),
    /// Which prefix uses which subnet.
    #[error(transparent)]
    SubnetLease(#[from] crate::subnet_lease::LeaseError),
    /// The configuration.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// Where domains run.
    #[error(transparent)]
    Host(#[from] crate::host::HostError),
    /// Domains and networks.
    #[error(transparent)]
    Virt(#[from] crate::virt::VirtError),
    /// What is done in a guest.
    #[error(transparent)]
    Guest(#[from] crate::guest::GuestError),
    /// A prefix as a directory.
    #[error(transparent)]
    Prefix(#[from] crate::prefix::PrefixError),
    /// Snapshots and forks.
    #[error(transparent)]
    Snapshot(#[from] crate::snapshot::SnapshotError),
    /// Deploy scripts.
    #[error(transparent)]
    Deploy(#[from] crate::deploy::DeployError),
    /// Exports.
    #[error(transparent)]
    Export(#[from] crate::export::ExportError),
    /// Capsules.
    #[error(transparent)]
    Capsule(#[from] crate::capsule::CapsuleError),
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
