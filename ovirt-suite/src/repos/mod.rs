//! Repositories of packages for guests, which have no way out to the world: kept on this machine, verified, merged, and
//! served on the network of an environment.
//!
//! | Lago's ovirtlago | here |
//! |---|---|
//! | `reposetup` | [`RepoSetup`] |
//! | `repoverify` | [`verify`] |
//! | `merge_repos` | [`merge`] |
//! | the HTTP server of `ovirtlago.prefix` | [`RepoServer`] |
//!
//! Both families are handled by their own tools: `dnf reposync` and `createrepo_c` for [yum](https://rpm.org), `apt-get` and
//! `dpkg-scanpackages` for [apt](https://wiki.debian.org/DebianRepository/Format). They know every form of source, and check
//! signatures where the source says so.

mod apt;
mod digest;
mod error;
mod layout;
pub mod merge;
mod package;
mod primary;
mod records;
mod server;
mod setup;
pub mod verify;
mod version;
mod yum;

pub use apt::AptSources;
pub use error::RepoError;
pub use package::{Algorithm, Digest, Family, Package, SourceRepo};
pub use server::{REPO_PORT, RepoServer};
pub use setup::{RepoSetup, Synced, Upstream};
pub use version::Version;
pub use yum::YumConfig;

use std::time::Duration;

/// How long one tool may take to bring a whole repository over the network, or to index one.
pub const REPO_LIMIT: Duration = Duration::from_secs(3 * 3600);

/// A result with [`RepoError`].
pub type Result<T, E = RepoError> = std::result::Result<T, E>;
