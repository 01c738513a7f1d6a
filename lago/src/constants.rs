//! Names and defaults that several rooms share.

use std::time::Duration;

/// The version of this crate.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The name of the directories below the user's and the system's data and configuration directories.
pub const APP_DIR: &str = "lago";

/// The directory that a workdir is by default, looked for from the current directory upwards.
pub const DEFAULT_WORKDIR: &str = ".lago";

/// The name of a workdir's first prefix.
pub const DEFAULT_PREFIX: &str = "default";

/// The symbolic link to a workdir's current prefix.
pub const CURRENT_LINK: &str = "current";

/// The template store's directory below the data directory.
pub const STORE_DIR: &str = "store";

/// Where the images of `cargo xtask images` are, in the user's cache directory.
pub const IMAGES_DIR: &str = "images";

/// The manifest of a template repository.
pub const MANIFEST_FILE: &str = "repo.json";

/// The directory of leases of subnets below the data directory.
pub const LEASE_DIR: &str = "subnets";

/// The directory of template repositories below the data directory.
pub const TEMPLATE_REPOS_DIR: &str = "repos";

/// The directory of cached environments below the user's cache directory.
pub const ENVIRONMENTS_DIR: &str = "environments";

/// How large all cached environments together may become, in bytes, unless somebody says otherwise.
pub const CACHE_SIZE: u64 = 10 << 30;

/// The version of a prefix directory's layout, written into its record. A prefix of a newer layout is refused.
pub const PREFIX_FORMAT: u32 = 1;

/// How long the guests of a prefix may take from power-on until they answer ssh, unless somebody says otherwise. A cloud
/// image with cloud-init takes a few minutes under software emulation when four of them share two CPUs.
pub const START_LIMIT: Duration = Duration::from_secs(600);
