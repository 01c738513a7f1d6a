//! What this process may do, and where programs are.

use std::ffi::{OsStr, OsString};

use rustix::process::geteuid;
use rustix::thread::CapabilitySet;

/// Where libvirtd, dnsmasq and `ip` live. They are not in the search path of every plain user.
const SYSTEM_DIRECTORIES: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Whether this process can make namespaces without a user namespace around them: the real root, or one in a container
/// that may do as much.
pub(super) fn is_privileged() -> bool {
    let needed = CapabilitySet::SYS_ADMIN | CapabilitySet::NET_ADMIN;
    geteuid().is_root()
        && rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.contains(needed))
}

/// The search path with the system's directories at its end.
pub(super) fn with_system_directories() -> OsString {
    join(std::env::var_os("PATH").as_deref())
}

fn join(path: Option<&OsStr>) -> OsString {
    let mut joined = path.filter(|path| !path.is_empty()).map(OsStr::to_owned).unwrap_or_default();
    if !joined.is_empty() {
        joined.push(":");
    }
    joined.push(SYSTEM_DIRECTORIES);
    joined
}
