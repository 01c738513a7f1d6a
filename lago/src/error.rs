//! The crate's error type. Each room has an enum of its own, so that a caller can match on what it asked for; all of
//! them convert into [`Error`].

/// What any operation of this crate fails with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A guest could not be reached, or something in it failed.
    #[error(transparent)]
    Guest(#[from] crate::guest::GuestError),
}

/// A result with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
