//! Fetching over HTTP: whole, verified by the caller, with limits, and resumable.

mod client;
mod error;
mod fetch;
mod job;
mod options;
mod patience;
mod progress;
mod state;
mod worker;

pub(super) use client::Authorization;
pub use client::{Remote, Transfer};
pub use error::TransferError;
pub(super) use error::shown;
pub(super) use fetch::{forget, is_begun};
pub use options::TransferOptions;
