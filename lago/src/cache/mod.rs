//! Cached environments: what was started once starts from there the next time, instead of booting.
//!
//! ```no_run
//! # fn main() -> lago::Result<()> {
//! use lago::cache::Cache;
//! use lago::config::Config;
//! use lago::{InitFile, InitOptions};
//!
//! let config = Config::load()?;
//! let init_file = InitFile::load("LagoInitFile.yaml".as_ref())?;
//! let options = InitOptions::new("my-prefix", init_file).with_settings(&config)?;
//! let cache = Cache::of(&config).expect("the user has a home directory");
//! let started = cache.start(options)?; // boots
//! println!("{:?}", started.origin);
//! # Ok(())
//! # }
//! ```
//!
//! # The key
//! An entry is found by its [`Key`], a SHA-256 of [`KeyInputs`] as JSON:
//! - the layout of entries, [`CACHE_FORMAT`], the version of lago, and a number of those of its sources that decide what a
//!   guest finds;
//! - the init file with prototypes and defaults applied, the order of its VMs and networks included;
//! - for each disk from a template the version that it came to, its digest, its metadata, and where its image is stored, and with `build`
//!   steps also these and the files that they read;
//! - for each disk from another file its path, size and time of change;
//! - the acceleration, the versions of QEMU and libvirt, and under KVM the processor and the kernel.
//!
//! Another value of any of them is another key, so it boots. Not cached are environments on a libvirt by its URI, and
//! those with a disk that is a file outside of the prefix and written to.
//!
//! # An entry
//! It is an ordinary prefix that is down, with one snapshot, [`STARTED`], taken when all guests answered ssh. Starting
//! from it is a [fork](crate::Prefix::fork), with the same names, addresses and keys, which shares the frozen files.
//!
//! The environment that makes an entry boots in its own directory, as it would without a cache, and its frozen files are
//! hard links in the entry (copies on another file system). So nothing boots twice, what goes wrong with a boot is where
//! it always is, and a cache that is broken or full costs no more than a warning.
//!
//! - Who makes an entry holds the lock of its key, so of two that start at once one boots and the other waits for the
//!   entry. The lock dies with its process.
//! - An entry that is half made, or of which a file is missing or changed, is made anew.
//! - When all entries together are larger than the setting `cache_size`, those go that were not used for the longest time.
//!   One with living forks stays.
//!
//! # On and off
//! Suites use the cache unless the setting `cache` (`LAGO_CACHE`) says `off`; without it, `lago cache off` and
//! `lago cache on` decide. The decision is kept in the cache's directory.

mod entry;
mod eviction;
mod inputs;
mod key;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use entry::{Condition, Entry};
pub use inputs::fingerprint;
pub use key::{CACHE_FORMAT, FileInput, Key, KeyInputs, TemplateInput};

use crate::config::Config;
use crate::constants::START_LIMIT;
use crate::dirlock::{self, DirLock, Mode};
use crate::prefix::{InitOptions, Prefix, init_again};
use crate::snapshot::{RevertOptions, SnapshotError, set_clocks};
use crate::utils::{FileError, PRIVATE_MODE, create_dir, error_chain, write_file};
use crate::{Error, Result};

/// The name of an entry's snapshot, which what was started from it or made it has as well.
pub const STARTED: &str = "start";

/// How long to wait for another process that boots the same environment.
pub const BOOT_LOCK_LIMIT: Duration = START_LIMIT;

/// How long to wait for another process that is about to fork from an entry which is to be removed.
const REMOVE_LOCK_LIMIT: Duration = Duration::from_secs(30);

/// The file that says that the cache is switched off.
const OFF_FILE: &str = "off";

/// A directory of environments that were started before. Several processes may use it at once.
#[derive(Debug, Clone)]
pub struct Cache {
    dir: PathBuf,
    limit: u64,
}

/// An environment that was made, and is not up yet.
#[derive(Debug)]
pub struct Cached {
    cache: Cache,
    options: InitOptions,
    prefix: Prefix,
    way: Way,
}

/// How an environment comes up.
#[derive(Debug)]
enum Way {
    /// From this entry.
    Entry(Key),
    /// By booting, and the entry of these inputs is made from it.
    Keep { inputs: Box<KeyInputs>, lock: DirLock },
    /// By booting.
    Boot { reason: String },
}

/// An environment that is up.
#[derive(Debug)]
pub struct Started {
    /// The environment.
    pub prefix: Prefix,
    /// Where it comes from.
    pub origin: StartOrigin,
}

/// Where an environment that is up comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartOrigin {
    /// From the cache.
    Cache,
    /// It was booted, and the next one like it starts from the cache.
    Boot,
    /// It was booted, and the next one will be.
    UncachedBoot {
        /// Why it is not in the cache.
        reason: String,
    },
}

/// What is known about an entry.
#[derive(Debug, Clone)]
pub struct EntryInfo {
    /// Its key.
    pub key: Key,
    /// Its directory.
    pub path: PathBuf,
    /// The names of its VMs; none when it is damaged.
    pub vms: Vec<String>,
    /// When it was made.
    pub made: Option<SystemTime>,
    /// When an environment was last started from it, or when it was made.
    pub used: Option<SystemTime>,
    /// How much room it takes on disk, in bytes.
    pub size: u64,
    /// The environments that stand on it.
    pub forks: Vec<PathBuf>,
    /// Why it cannot be used, if it cannot: it is removed when it is next asked for.
    pub damage: Option<String>,
}

/// What [`Cache::prune`] removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prune {
    /// What is damaged, what no environment of today's programs can start from, and what is more than the limit.
    Useless,
    /// Everything.
    All,
}

impl Cache {
    /// The cache in a directory, which is made when it is needed, with a limit in bytes.
    pub fn new(dir: impl Into<PathBuf>, limit: u64) -> Self {
        Self { dir: dir.into(), limit }
    }

    /// The cache of the settings, whether it is switched on or not. `None` when there is no place for it.
    pub fn of(config: &Config) -> Option<Self> {
        Some(Self::new(config.cache_dir.clone()?, config.cache_size))
    }

    /// The cache of the settings, if it is switched on.
    pub fn if_on(config: &Config) -> Option<Self> {
        let cache = Self::of(config)?;
        config.cache.unwrap_or_else(|| !cache.is_off()).then_some(cache)
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether it was switched off by [`Self::switch`].
    pub fn is_off(&self) -> bool {
        self.dir.join(OFF_FILE).exists()
    }

    /// Switches it on or off, for suites whose settings say nothing about it.
    pub fn switch(&self, on: bool) -> Result<()> {
        let file = self.dir.join(OFF_FILE);
        if !on {
            create_dir(&self.dir)?;
            return Ok(write_file(&file, b"", PRIVATE_MODE)?);
        }
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(FileError::io("remove", &file)(error).into())
            }
            _ => Ok(()),
        }
    }

    /// Makes an environment and starts it: from the entry of its key, or by booting, and then the entry is made from it.
    pub fn start(&self, options: InitOptions) -> Result<Started> {
        self.init(options)?.start()
    }

    /// Makes an environment, as [`Prefix::init`] does, that is ready to be started. It waits for another process that
    /// boots the same one. Until it is started or dropped, others wait for it.
    pub fn init(&self, options: InitOptions) -> Result<Cached> {
        let (prefix, way) = match self.find(&options)? {
            Found::Fork { prefix, key } => (prefix, Way::Entry(key)),
            Found::Nothing(way) => (Prefix::init(&options)?, way),
        };
        Ok(Cached { cache: self.clone(), options, prefix, way })
    }

    fn find(&self, options: &InitOptions) -> Result<Found> {
        let boot = |reason: String| Ok(Found::Nothing(Way::Boot { reason }));
        let inputs = match self.inputs(options) {
            Ok(inputs) => Box::new(inputs),
            Err(reason) => return boot(reason),
        };
        let key = inputs.key();
        let locked = create_dir(&self.dir)
            .map_err(Error::from)
            .and_then(|()| self.lock(&key, BOOT_LOCK_LIMIT));
        let lock = match locked {
            Ok(lock) => lock,
            Err(error) => return boot(error_chain(&error)),
        };
        let damage = match self.condition(&key) {
            Condition::Missing => return Ok(Found::Nothing(Way::Keep { inputs, lock })),
            Condition::Damaged(reason) => reason,
            Condition::Whole(entry) => match entry.fork(&options.path) {
                Ok(prefix) => return Ok(Found::Fork { prefix, key }),
                Err(error) if is_about_entry(&error) => error_chain(&error),
                Err(error) => return Err(error),
            },
        };
        tracing::warn!("the cached environment {} is made anew: {damage}", key.short());
        match entry::remove(&self.path(&key)) {
            Ok(()) => Ok(Found::Nothing(Way::Keep { inputs, lock })),
            Err(error) => {
                boot(format!("the cached one cannot be replaced: {}", error_chain(&error)))
            }
        }
    }

    fn condition(&self, key: &Key) -> Condition {
        Entry::find(&self.path(key), key)
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.dir.join(key.as_str())
    }

    fn lock_path(&self, key: &Key) -> PathBuf {
        self.dir.join(format!("{key}.lock"))
    }

    fn lock(&self, key: &Key, limit: Duration) -> Result<DirLock> {
        Ok(dirlock::lock_file(&self.lock_path(key), Mode::Exclusive, limit)?)
    }
}

/// What there is for an environment.
enum Found {
    Fork { prefix: Prefix, key: Key },
    Nothing(Way),
}

/// Whether the entry itself lacks something. What else goes wrong goes wrong for a boot as well.
fn is_about_entry(error: &Error) -> bool {
    use SnapshotError::{Incomplete, Unknown};
    matches!(error, Error::Snapshot(Incomplete { .. } | Unknown { .. }))
}

impl Cached {
    /// The environment. It is a prefix on disk, and nothing runs.
    pub fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// What it was made from.
    pub fn options(&self) -> &InitOptions {
        &self.options
    }

    /// The key by which it was looked for; none when it cannot be cached.
    pub fn key(&self) -> Option<Key> {
        match &self.way {
            Way::Entry(key) => Some(key.clone()),
            Way::Keep { inputs, .. } => Some(inputs.key()),
            Way::Boot { .. } => None,
        }
    }

    /// Whether it comes up from the cache.
    pub fn is_hit(&self) -> bool {
        matches!(self.way, Way::Entry(_))
    }

    /// Brings it up until all guests answer ssh.
    ///
    /// One from the cache that does not come up is made anew and booted, unless its private host was stopped meanwhile:
    /// then somebody wants it to end.
    pub fn start(self) -> Result<Started> {
        let Self { cache, options, prefix, way } = self;
        match way {
            Way::Boot { reason } => {
                prefix.start()?;
                Ok(Started { prefix, origin: StartOrigin::UncachedBoot { reason } })
            }
            Way::Keep { inputs, lock } => {
                prefix.start()?;
                let origin = cache.keep(&prefix, &options, *inputs, lock);
                Ok(Started { prefix, origin })
            }
            Way::Entry(key) => match wake(&prefix) {
                Ok(()) => Ok(Started { prefix, origin: StartOrigin::Cache }),
                Err(error) if !prefix.host().is_running() => Err(error),
                Err(error) => cache.boot_instead(&prefix, &options, &key, &error),
            },
        }
    }
}

/// Brings up an environment that was forked from an entry.
///
/// It was kept when it had just booted, so its guests are busy: their clocks are set while ssh is waited for.
fn wake(prefix: &Prefix) -> Result<()> {
    prefix.revert_with(STARTED, RevertOptions { set_clocks: false, ..Default::default() })?;
    let vms: Vec<_> = prefix.vms().collect();
    thread::scope(|scope| {
        scope.spawn(|| set_clocks(vms.iter().copied()));
        prefix.virt_env().wait_for_ssh(&vms, START_LIMIT)
    })
}

impl Cache {
    /// Makes the entry from an environment that has just started. That it cannot be made is no reason to fail.
    fn keep(
        &self,
        prefix: &Prefix,
        options: &InitOptions,
        inputs: KeyInputs,
        lock: DirLock,
    ) -> StartOrigin {
        let path = self.path(&inputs.key());
        let kept = Entry::make(&path, prefix, options, inputs);
        drop(lock);
        if let Err(error) = kept {
            let reason = error_chain(&error);
            tracing::warn!("the environment is not kept in the cache: {reason}");
            return StartOrigin::UncachedBoot { reason };
        }
        if let Err(error) = self.evict() {
            tracing::warn!("the cache could not be made smaller: {}", error_chain(&error));
        }
        StartOrigin::Boot
    }

    /// Boots an environment that did not come up from its entry, and forgets the entry.
    fn boot_instead(
        &self,
        prefix: &Prefix,
        options: &InitOptions,
        key: &Key,
        error: &Error,
    ) -> Result<Started> {
        let reason = format!("the cached one did not come up: {}", error_chain(error));
        tracing::warn!("booting the environment; {reason}");
        let prefix = init_again(prefix, options)?;
        // It may have to stay for a while, as others stand on it.
        entry::mark_broken(&self.path(key), &reason);
        if let Err(error) = self.remove(key) {
            tracing::warn!("{}", error_chain(&error));
        }
        prefix.start()?;
        Ok(Started { prefix, origin: StartOrigin::UncachedBoot { reason } })
    }
}
