//! The variables of UEFI firmware, a small file for each VM.
//!
//! QEMU writes to the file that it was started with until it ends, so it is copied for a snapshot, where a disk would get
//! another layer. After a revert with memory the firmware writes its variables, which are in the memory, to the file again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::Snapshot;
use crate::paths::Paths;
use crate::prefix::Record;
use crate::utils::{FileError, PRIVATE_MODE, write_file};

/// The file of each VM, from the prefix.
pub(super) type Files = IndexMap<String, PathBuf>;

/// The files that the VMs use. A VM that was never started has none yet.
pub(super) fn current(paths: &Paths, record: &Record) -> Files {
    let uefi = record.init_file.domains.keys().filter(|vm| record.has_uefi(vm));
    let files = uefi.map(|vm| (vm.clone(), paths.nvram(vm))).filter(|(_, path)| path.exists());
    let inside =
        |path: PathBuf| path.strip_prefix(paths.prefix()).map_or(path.clone(), Path::to_owned);
    files.map(|(vm, path)| (vm, inside(path))).collect()
}

/// Copies them into the directory of a snapshot, while the VMs stand still.
pub(super) fn keep(paths: &Paths, record: &Record, snapshot: &str) -> Result<Files, FileError> {
    let kept = |(vm, path): (String, PathBuf)| {
        let copy = Paths::snapshot(snapshot).join(format!("{vm}.nvram"));
        replace(&paths.prefix().join(path), &paths.prefix().join(&copy))?;
        Ok((vm, copy))
    };
    current(paths, record).into_iter().map(kept).collect()
}

/// Gives the VMs, which are down, the variables that they had. Those that had none yet start with fresh ones.
pub(crate) fn put_back(paths: &Paths, snapshot: &Snapshot) -> Result<(), FileError> {
    snapshot.vms.iter().try_for_each(|(vm, kept)| {
        let path = paths.nvram(vm);
        match &kept.nvram {
            Some(copy) => replace(&paths.prefix().join(copy), &path),
            None => match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(FileError::io("remove", &path)(error))
                }
                _ => Ok(()),
            },
        }
    })
}

fn replace(from: &Path, to: &Path) -> Result<(), FileError> {
    let content = fs::read(from).map_err(FileError::io("read", from))?;
    write_file(to, &content, PRIVATE_MODE)
}
