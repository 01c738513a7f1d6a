//! What can be wrong with a configuration.

use std::path::PathBuf;

use super::layers::Origin;
use crate::utils::FileError;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file is not an INI file.
    #[error("{}:{line}:{column}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong.
        reason: String,
    },
    /// A key or section that does not exist.
    #[error("{origin}: there is no {what}; {advice}")]
    Unknown {
        /// Where it is.
        origin: Origin,
        /// What does not exist: "key `stroe`".
        what: String,
        /// What may have been meant.
        advice: String,
    },
    /// A key that is there twice.
    #[error("{origin}: the key `{key}` is there a second time; remove one of the two")]
    Duplicate {
        /// Where the second one is.
        origin: Origin,
        /// The key.
        key: String,
    },
    /// A value that cannot be used.
    #[error("{origin}: `{key} = {value}` cannot be used: {reason}")]
    Invalid {
        /// Where it is.
        origin: Origin,
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
        /// What it should be.
        reason: String,
    },
    /// There is no place for the template store.
    #[error(
        "there is no place for the template store, as the user has no home directory; set LAGO_STORE"
    )]
    NoStore,
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
}
