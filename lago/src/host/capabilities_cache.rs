//! What libvirt found out about QEMU, shared by the private hosts of one user.
//!
//! A libvirtd with an empty cache runs QEMU several times to see what it can do, which takes about a second. libvirt
//! checks an entry against the QEMU binary, its own version, the kernel and the access to `/dev/kvm`, and writes a new
//! one beside it before it replaces it, so sharing is safe.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use crate::paths::{is_ours, user_cache_dir};

/// The directory, made if need be. `None` when there is no place for it: then each host has a cache of its own.
pub(super) fn shared_directory() -> Option<PathBuf> {
    let dir = user_cache_dir()?.join("libvirt-capabilities");
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&dir).is_ok();
    (made && is_ours(&dir)).then_some(dir)
}
