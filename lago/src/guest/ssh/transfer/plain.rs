//! Single files by a command, for guests that have no sftp server.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Ssh, Transferred};
use crate::guest::ssh::exec::Streams;
use crate::guest::{Cmd, GuestError, GuestStatus, Result};

/// Writes what comes in into the file `$1`, or into `$2` in the directory `$1`, with the mode `$3`.
const WRITE: &str = "\
if [ -d \"$1\" ]; then to=\"$1/$2\"; else to=\"$1\"; fi
(umask 077; cat >\"$to\") && chmod \"$3\" \"$to\"";

/// Prints the file `$1`.
const READ: &str = "\
if [ -d \"$1\" ]; then echo 'it is a directory' >&2; exit 1; fi
exec cat \"$1\"";

/// What cannot be done so.
const ONLY_FILES: &str =
    "the guest has no sftp server, and without one only single files can be copied";

pub(super) fn upload(
    ssh: &Ssh,
    local: &Path,
    remote: &Path,
    what: &str,
    limit: Duration,
) -> Result<Transferred> {
    let failed = |error: io::Error| here(ssh, what, local, &error);
    let metadata = fs::metadata(local).map_err(failed)?;
    if !metadata.is_file() {
        return Err(error(ssh, what, ONLY_FILES.to_owned()));
    }
    let mut content = File::open(local).map_err(failed)?;
    let name = local.file_name().unwrap_or_default();
    let mode = format!("{:o}", metadata.permissions().mode() & 0o7777);
    let command = Cmd::sh(WRITE).arg(remote).arg(name).arg(mode).limit(limit);
    let mut stderr = Vec::new();
    let streams = Streams { stdin: &mut content, stdout: &mut io::sink(), stderr: &mut stderr };
    succeeded(ssh, what, &ssh.stream(&command, streams)?, &stderr)?;
    Ok(Transferred { files: 1, bytes: metadata.len(), ..Transferred::default() })
}

pub(super) fn download(
    ssh: &Ssh,
    remote: &Path,
    local: &Path,
    what: &str,
    limit: Duration,
) -> Result<Transferred> {
    let target = match remote.file_name() {
        Some(name) if local.is_dir() => local.join(name),
        _ => local.to_owned(),
    };
    let failed = |error: io::Error| here(ssh, what, &target, &error);
    let directory = match target.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    let mut stderr = Vec::new();
    let command = Cmd::sh(READ).arg(remote).limit(limit);
    let streams = Streams { stdin: &mut io::empty(), stdout: &mut file, stderr: &mut stderr };
    succeeded(ssh, what, &ssh.stream(&command, streams)?, &stderr)?;
    let bytes = file.as_file().metadata().map_err(failed)?.len();
    file.persist(&target).map_err(|error| failed(error.error))?;
    Ok(Transferred { files: 1, bytes, ..Transferred::default() })
}

fn succeeded(ssh: &Ssh, what: &str, status: &GuestStatus, stderr: &[u8]) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    // Shells and programs name themselves and the file before what is wrong.
    let said = String::from_utf8_lossy(stderr).trim().to_lowercase();
    let directory = said.ends_with("it is a directory");
    Err(error(ssh, what, if directory { ONLY_FILES.to_owned() } else { said }))
}

fn here(ssh: &Ssh, what: &str, path: &Path, source: &io::Error) -> GuestError {
    error(ssh, what, format!("{} on this side: {source}", path.display()))
}

fn error(ssh: &Ssh, what: &str, detail: String) -> GuestError {
    GuestError::Transfer { vm: ssh.target().vm.clone(), what: what.to_owned(), detail }
}
