//! A lease as a file.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::{Lease, Owner};
use crate::utils::FileError;

/// What the name of a lease ends with.
const EXTENSION: &str = "lease";

/// Whoever shares the directory may read who has what.
const MODE: u32 = 0o644;

#[derive(Serialize, Deserialize)]
struct Content {
    subnet: Ipv4Net,
    owner: Owner,
}

/// The leases in a directory, those included that do not hold any more. A file that is none, which only a machine that
/// lost its power leaves, is removed. One that says what is not understood, as a newer lago may, is an error: its subnet is
/// taken, for how long only that lago knows.
pub(super) fn read_all(dir: &Path) -> Result<Vec<Lease>, FileError> {
    let mut leases = Vec::new();
    for entry in fs::read_dir(dir).map_err(FileError::io("read", dir))? {
        let path = entry.map_err(FileError::io("read", dir))?.path();
        if path.extension().is_none_or(|extension| extension != EXTENSION) {
            continue;
        }
        let text = fs::read(&path).map_err(FileError::io("read", &path))?;
        match serde_json::from_slice::<Content>(&text) {
            Ok(Content { subnet, owner }) => leases.push(Lease { subnet, owner }),
            Err(source) if is_object(&text) => return Err(FileError::Json { path, source }),
            Err(error) => {
                tracing::warn!("{} is no lease ({error}), and is removed", path.display());
                fs::remove_file(&path).map_err(FileError::io("remove", &path))?;
            }
        }
    }
    Ok(leases)
}

fn is_object(text: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(text).is_ok()
}

/// Writes a lease, wholly or not at all when this process is killed. It need not outlive a loss of power, as a prefix
/// leases its subnets again when it starts.
pub(super) fn write(dir: &Path, lease: &Lease) -> Result<(), FileError> {
    let path = path_of(dir, lease.subnet);
    let content = Content { subnet: lease.subnet, owner: lease.owner.clone() };
    let text = serde_json::to_vec(&content)
        .map_err(|source| FileError::Json { path: path.clone(), source })?;
    replace(dir, &path, &text).map_err(FileError::io("write", &path))
}

/// Only one process at a time writes here, so the name of the new file can be a fixed one.
fn replace(dir: &Path, path: &Path, text: &[u8]) -> io::Result<()> {
    let new = dir.join(".new");
    remove_if_there(&new)?;
    let mut file = File::create_new(&new)?;
    file.set_permissions(Permissions::from_mode(MODE))?;
    file.write_all(text)?;
    fs::rename(&new, path)
}

pub(super) fn remove(dir: &Path, subnet: Ipv4Net) -> Result<(), FileError> {
    let path = path_of(dir, subnet);
    remove_if_there(&path).map_err(FileError::io("remove", &path))
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn path_of(dir: &Path, subnet: Ipv4Net) -> PathBuf {
    dir.join(format!("{}-{}.{EXTENSION}", subnet.network(), subnet.prefix_len()))
}
