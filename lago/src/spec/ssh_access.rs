//! Reads how a machine is reached that lago does not start.

use std::path::{Path, PathBuf};

use super::fields::{Fields, Known};
use super::types::SshAccess;

const FIELDS: Known = Known {
    documented: &["address", "port", "host-key", "known-hosts", "identity", "password", "comment"],
    tolerated: &[],
};

/// Where ssh listens.
const PORT: u16 = 22;

/// The mapping `ssh` of a domain.
pub(super) fn read(domain: &Fields<'_>, directory: &Path) -> Option<SshAccess> {
    let fields = domain.below("ssh", "`ssh`", &FIELDS)?;
    let path = |name: &str| fields.string(name).map(|path| absolute(directory, &path.value));
    let port = fields.number("port", "a port", 1..=65535);
    Some(SshAccess {
        address: fields.string("address").map(|address| address.value).unwrap_or_default(),
        port: port.and_then(|port| u16::try_from(port.value).ok()).unwrap_or(PORT),
        host_key: fields.string("host-key").map(|key| key.value),
        known_hosts: path("known-hosts"),
        identity: path("identity"),
        password: fields.string("password").map(|password| password.value),
    })
}

/// Relative paths start from the init file. A path that begins with a variable is whole once that is replaced.
fn absolute(directory: &Path, path: &str) -> PathBuf {
    if path.starts_with('$') { PathBuf::from(path) } else { directory.join(path) }
}
