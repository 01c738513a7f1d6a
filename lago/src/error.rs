//! The crate's error type. Each room has an enum of its own, so that a caller can match on what it asked for; all of
//! them convert into [`Error`].

use crate::utils::Failures;

/// What any operation of this crate fails with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A host.
    #[error(transparent)]
    Host(#[from] crate::host::HostError),
}

/// A result with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
