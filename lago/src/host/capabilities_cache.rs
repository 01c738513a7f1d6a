//! What libvirt found out about QEMU, shared by the private hosts of one user.
//!
//! A libvirtd with an empty cache runs QEMU several times to see what it can do, which takes about a second. libvirt
//! checks an entry against the QEMU binary, its own version, the kernel and the access to `/dev/kvm`, and writes a new
//! one beside it before it replaces it, so sharing is safe.

use std::env;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

/// The directory, made if need be. `None` when there is no place for it: then each host has a cache of its own.
pub(super) fn shared_directory() -> Option<PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| env::home_dir().map(|home| home.join(".cache")))?;
    let dir = cache.join("lago/libvirt-capabilities");
    usable(&dir).then_some(dir)
}

fn usable(dir: &Path) -> bool {
    // Under `sudo` this may be another user's home, where a directory of root's would be in that user's way.
    let ours =
        |path: &Path| fs::metadata(path).is_ok_and(|found| found.uid() == geteuid().as_raw());
    let nearest = dir.ancestors().find(|path| path.exists());
    nearest.is_some_and(ours)
        && DirBuilder::new().recursive(true).mode(0o700).create(dir).is_ok()
        && ours(dir)
}
