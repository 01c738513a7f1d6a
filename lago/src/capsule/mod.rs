//! Capsules: an environment at one moment in one file, which another machine can go on from.
//!
//! ```no_run
//! # fn main() -> lago::Result<()> {
//! use lago::capsule::{self, OpenOptions, SaveOptions};
//! use lago::config::Config;
//!
//! let prefix = lago::Prefix::open("my-prefix")?;
//! prefix.save_capsule("failure.lago-capsule", &SaveOptions::default())?;
//!
//! // On another machine:
//! let options = OpenOptions::new("opened").with_settings(&Config::load()?)?;
//! let opened = capsule::open("failure.lago-capsule", &options)?;
//! opened.resume(&[])?; // until then, the VMs stand still at that very moment
//! println!("{}", opened.vm("server")?.run(lago::cmd!("dmesg"))?.stdout());
//! # Ok(())
//! # }
//! ```
//!
//! A capsule has the disks and the memory of all VMs as they were at one instant, the keys that open them, the init file
//! and what was decided when the environment was made, and everything else that lies in the prefix: logs, reports,
//! evidence. It has neither the other snapshots of the environment nor, unless that is wanted, the templates that disks
//! stand on; those are found again by their digest.
//!
//! What is opened is a prefix like any other, on a private host, with the same names and addresses; so one capsule can be
//! opened several times on one machine. It has the moment as its snapshot [`SNAPSHOT`], to which it can be put back.
//!
//! # The file
//! It is a [tar](https://www.gnu.org/software/tar/manual/html_node/Standard.html) archive in one frame of
//! [zstd](https://www.rfc-editor.org/rfc/rfc8878), with a checksum. Its members are regular files, and nothing else:
//!
//! 1. `manifest.json`, a [`Manifest`]. What follows is exactly what it lists.
//! 2. The files, under the paths that they have in the prefix which is made of the capsule: `images/` has the images of the
//!    disks, `snapshots/capsule/` the memory of the VMs as libvirt writes it, with the description of each domain and
//!    the variables of its UEFI firmware, `ssh/` the keys, `vnc/` the passwords of displays. The others are those of the prefix. A member has the bytes of its file without holes: where they belong
//!    is in [`FileEntry::data`].
//! 3. `sha256sums`, the SHA-256 of all members before it, in lines as `sha256sum` writes them.
//!
//! `tar --use-compress-program='zstd --long=28' -tf FILE` lists them.
//!
//! An image names below it no file of its own machine: what it stands on is in [`Image::below`], and written into it when
//! the capsule is opened. The names of members that are too long for their header are in members of type `L`, as GNU tar
//! writes them.
//!
//! # Whom to trust
//! A capsule has the private keys of its guests, and all that was in their memory: it is for its owner only. What is
//! opened is checked: no path leads out of the directory, no disk or device names a file of the host, nothing is larger
//! than it says. Still, guests run that somebody else has prepared, and an emulator reads what somebody else wrote: open
//! only what you would run.

mod archive;
mod bases;
mod contents;
mod description;
mod disks;
mod error;
mod machine;
mod manifest;
mod open;
mod save;
mod sparse;
mod target;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub use error::CapsuleError;
pub use machine::Machine;
pub use manifest::{Below, CAPSULE_FORMAT, FileEntry, Image, Manifest, Segment, TemplateUse};

use crate::config::Config;
use crate::paths::default_store;
use crate::prefix::Prefix;
use crate::snapshot::{RevertOptions, SnapshotKind};
use crate::templates::{TemplateRepository, repositories};
use crate::{Error, Result};

/// What the name of a capsule ends with, after a dot.
pub const EXTENSION: &str = "lago-capsule";

/// The snapshot that what is opened from a capsule has: its moment.
pub const SNAPSHOT: &str = "capsule";

/// The copy of the manifest in what is opened from a capsule, without the list of files.
const COPY: &str = "capsule.json";

/// How a capsule is saved.
#[derive(Debug, Clone, Default)]
pub struct SaveOptions {
    /// Packs the templates that disks stand on as well, for a machine that has no other way to get them.
    pub with_templates: bool,
    /// Why it is saved, for whoever opens it.
    pub reason: Option<String>,
    /// Further files and directories, each with its path in the capsule. What the prefix itself has there comes first.
    pub extra: Vec<(PathBuf, PathBuf)>,
    /// Ends the saving soon once this is set, with [`CapsuleError::Stopped`].
    pub stop: Option<Arc<AtomicBool>>,
}

impl SaveOptions {
    fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed))
    }
}

/// A capsule that was saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// How long saving it took.
    pub took: Duration,
    /// How long the VMs stood still.
    pub pause: Duration,
}

/// How a capsule is opened.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// The directory of the prefix that is made of it. It must not exist yet.
    pub path: PathBuf,
    /// Where templates come from that the store does not have.
    pub repositories: Vec<TemplateRepository>,
    /// Where template images are kept.
    pub store: Option<PathBuf>,
    /// Lets the VMs run on at once. Otherwise they stand still at the moment, until [`Prefix::resume`].
    pub run: bool,
    /// Leaves the memory out: the VMs are down, and boot from their disks when they are started. For a machine on which
    /// the memory cannot be used.
    pub no_memory: bool,
}

impl OpenOptions {
    /// Everything as it is without settings: the template store of the user, and VMs that stand still.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            repositories: Vec::new(),
            store: default_store(),
            run: false,
            no_memory: false,
        }
    }

    /// As the settings say, as far as they say anything about templates. The acceleration is the capsule's.
    pub fn with_settings(self, config: &Config) -> Result<Self> {
        Ok(Self {
            repositories: [self.repositories, repositories(config)?].concat(),
            store: config.store.clone().or(self.store),
            ..self
        })
    }
}

impl Prefix {
    /// Packs the environment as it is at this moment into a file, which takes the place of one that is there.
    ///
    /// VMs that run stand still as long as for a snapshot and run on while the rest is done. Nobody else changes the
    /// environment meanwhile. When this fails, the environment is as it was, and so is a file that was there.
    pub fn save_capsule(&self, path: impl AsRef<Path>, options: &SaveOptions) -> Result<Saved> {
        save::save(self, path.as_ref(), options)
    }
}

/// What a capsule says about itself.
pub fn manifest(path: impl AsRef<Path>) -> Result<Manifest> {
    archive::read(path.as_ref(), |manifest, _| Ok(manifest))
}

/// Makes a prefix of a capsule, in a directory that does not exist yet, and brings it to the capsule's moment.
///
/// # Errors
/// Nothing is left then. What a process that was killed has left half opened is removed when a capsule is opened there
/// again, and by [`Prefix::destroy_at`].
pub fn open(path: impl AsRef<Path>, options: &OpenOptions) -> Result<Prefix> {
    let unpacked = open::unpack(path.as_ref(), options)?;
    if options.no_memory || unpacked.kind == SnapshotKind::Stopped {
        return Ok(unpacked.prefix);
    }
    let revert = RevertOptions { set_clocks: false, paused: !options.run };
    let Err(source) = unpacked.prefix.revert_with(SNAPSHOT, revert) else {
        return Ok(unpacked.prefix);
    };
    let (differences, source) = (unpacked.doubts, Box::new(source));
    let error = Error::from(CapsuleError::NotRestored { differences, source });
    Err(crate::snapshot::with_others(error, unpacked.prefix.destroy().err()))
}
