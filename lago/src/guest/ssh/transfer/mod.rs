//! Files and directories in and out of a guest, over sftp; single files without it.

mod download;
mod plain;
mod remote;
mod upload;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Ssh;
use super::session::Session;
use super::watch::{Fault, Watch};
use crate::guest::{Cmd, ConnectStep, GuestError, Result};
use remote::Remote;

/// How long copying may take when no other limit is given: 2 GB into a guest under software emulation.
pub const DEFAULT_TRANSFER_LIMIT: Duration = Duration::from_secs(600);

/// How long a guest may take to answer whether it runs commands.
const QUESTION_LIMIT: Duration = Duration::from_secs(30);

/// What was copied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transferred {
    /// How many regular files.
    pub files: u64,
    /// How many directories.
    pub directories: u64,
    /// How many symbolic links.
    pub links: u64,
    /// The bytes in the files.
    pub bytes: u64,
    /// What is neither of these, and was left out.
    pub skipped: Vec<PathBuf>,
}

pub(super) fn upload(
    ssh: &Ssh,
    local: &Path,
    remote: &Path,
    limit: Duration,
) -> Result<Transferred> {
    let what = format!("copying {} to {} in the guest", local.display(), remote.display());
    let copied = transfer(ssh, &what, limit, |guest| upload::upload(guest, local, remote));
    if lacks_sftp(ssh, &copied) { plain::upload(ssh, local, remote, &what, limit) } else { copied }
}

pub(super) fn download(
    ssh: &Ssh,
    remote: &Path,
    local: &Path,
    limit: Duration,
) -> Result<Transferred> {
    let what = format!("copying {} from the guest to {}", remote.display(), local.display());
    let copied = transfer(ssh, &what, limit, |guest| download::download(guest, remote, local));
    if lacks_sftp(ssh, &copied) {
        plain::download(ssh, remote, local, &what, limit)
    } else {
        copied
    }
}

/// Whether the guest runs commands, and nothing that speaks sftp: nothing was copied then.
fn lacks_sftp(ssh: &Ssh, copied: &Result<Transferred>) -> bool {
    let is_refused =
        matches!(copied, Err(GuestError::Unreachable { step: ConnectStep::Channel, .. }));
    let lacks = is_refused && ssh.output(&Cmd::new("true").limit(QUESTION_LIMIT)).is_ok();
    if lacks {
        tracing::debug!(vm = ssh.target.vm, "there is no sftp server; copying by a command");
    }
    lacks
}

fn transfer(
    ssh: &Ssh,
    what: &str,
    limit: Duration,
    copy: impl FnOnce(&Remote<'_>) -> Result<Transferred, Trouble>,
) -> Result<Transferred> {
    let watch = Watch::new(&*ssh.reach, limit);
    let (session, sftp) = ssh.start(&watch, Session::sftp)?;
    let copied = copy(&Remote::new(&session, &sftp, watch));
    if let Err(Trouble::Session(fault)) = copied {
        // First, so that closing the channel waits for nothing.
        session.cut();
        return Err(ssh.explain(fault, what, String::new()));
    }
    session.keep_sftp(sftp);
    ssh.pool.put(session);
    copied.map_err(|trouble| GuestError::Transfer {
        vm: ssh.target.vm.clone(),
        what: what.to_owned(),
        detail: trouble.to_string(),
    })
}

/// What is named to be copied has to be one of the two; below it, other things are left out.
fn neither_file_nor_directory() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "neither a file nor a directory")
}

/// Why copying ended early.
#[derive(Debug)]
enum Trouble {
    /// The session is of no more use.
    Session(Fault),
    /// The guest refused something.
    Guest { path: PathBuf, detail: String },
    /// Something failed on this side.
    Here { path: PathBuf, error: io::Error },
}

impl Trouble {
    fn guest(path: &Path, detail: impl Into<String>) -> Self {
        Self::Guest { path: path.to_owned(), detail: detail.into() }
    }

    /// For `map_err`: something failed here with `path`.
    fn here(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |error| Self::Here { path: path.to_owned(), error }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(fault) => fault.fmt(f),
            Self::Guest { path, detail } => write!(f, "{} in the guest: {detail}", path.display()),
            Self::Here { path, error } => write!(f, "{} on this side: {error}", path.display()),
        }
    }
}
