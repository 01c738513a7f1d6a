//! Exclusive and shared locks on a directory, between processes.
//!
//! A lock is an advisory lock of the kernel on a file in the directory, so that it ends with its process, however that
//! ends. What the file holds is only for messages: who has the lock.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::utils::{Deadline, FileError, PRIVATE_MODE, is_at};

/// The name of the lock file of a directory.
pub const LOCK_FILE: &str = "lock";

/// The time from the first try at a lock that is held to the next; it doubles up to the longest. The kernel can wait for a
/// lock, but not with a limit. Most locks are held for less than a millisecond, the others for seconds.
const FIRST_RETRY: Duration = Duration::from_micros(200);
const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// How long it is waited in silence. Most holders are done by then, and a line for each would be noise.
const TELL_AFTER: Duration = Duration::from_secs(1);

/// More than this in a lock file is old holders of shared locks, to be swept out by the next holder.
const HOLDERS_SIZE: u64 = 4096;

/// Who may hold a lock at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One holder.
    Exclusive,
    /// Any number of holders of shared locks, and none of an exclusive one.
    Shared,
}

/// A lock that could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else has it and kept it for the whole limit.
    #[error(
        "{} is in use by {holders}; gave up after {limit:?}. Wait for it to end, or stop it",
        path.display()
    )]
    Held {
        /// What is locked.
        path: PathBuf,
        /// The processes that hold it, as far as they are known.
        holders: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The lock file could not be used.
    #[error(transparent)]
    File(#[from] FileError),
}

/// A held lock; dropping it releases it.
#[derive(Debug)]
#[doc(alias = "unlock")]
#[must_use = "the lock is released when this is dropped"]
pub struct DirLock {
    file: File,
    mode: Mode,
}

impl Drop for DirLock {
    fn drop(&mut self) {
        if self.mode == Mode::Exclusive {
            // Best effort: a stale name is recognised by its process being gone.
            self.file.set_len(0).ok();
        }
        // Closing is not enough while a child that was just forked still has a copy of the descriptor.
        if let Err(error) = self.file.unlock() {
            tracing::warn!("cannot release a lock: {error}; it ends with this process");
        }
    }
}

/// Locks the directory `dir`, waiting for its holder for at most `limit`.
///
/// ```
/// # use {lago::dirlock::{self, Mode}, std::time::Duration};
/// # let dir = tempfile::tempdir().unwrap();
/// let lock = dirlock::lock(dir.path(), Mode::Exclusive, Duration::from_secs(5)).unwrap();
/// assert!(dirlock::try_lock(dir.path(), Mode::Shared).unwrap().is_none());
/// drop(lock);
/// assert!(dirlock::try_lock(dir.path(), Mode::Shared).unwrap().is_some());
/// ```
///
/// # Errors
/// When the limit passes: who holds it. Not waiting at all is a limit of zero.
pub fn lock(dir: &Path, mode: Mode, limit: Duration) -> Result<DirLock, LockError> {
    let file = dir.join(LOCK_FILE);
    lock_named(&file, dir, mode, limit)
}

/// Locks the directory `dir` unless somebody else has it.
#[doc(alias = "trylock")]
pub fn try_lock(dir: &Path, mode: Mode) -> Result<Option<DirLock>, LockError> {
    try_lock_file(&dir.join(LOCK_FILE), mode)
}

/// Locks by the lock file `file`, which is created if need be: for what is smaller than a directory.
pub fn lock_file(file: &Path, mode: Mode, limit: Duration) -> Result<DirLock, LockError> {
    lock_named(file, file, mode, limit)
}

/// Locks by the lock file `file` unless somebody else has it.
pub fn try_lock_file(file: &Path, mode: Mode) -> Result<Option<DirLock>, LockError> {
    try_once(file, mode).map_err(|source| FileError::io("lock", file)(source).into())
}

/// Whether a process holds the exclusive lock on `dir` at this moment. Writes nothing there. It looks by means of a
/// shared lock, so whoever tries for the exclusive one just then has to try again.
pub fn is_locked(dir: &Path) -> io::Result<bool> {
    let file = match File::open(dir.join(LOCK_FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The processes that hold the lock on `dir`, as far as they are known, for messages.
pub fn holders(dir: &Path) -> String {
    describe_holders(&dir.join(LOCK_FILE))
}

fn lock_named(file: &Path, what: &Path, mode: Mode, limit: Duration) -> Result<DirLock, LockError> {
    let deadline = Deadline::new(format!("the lock on {}", what.display()), limit);
    let mut told = false;
    let mut pause = FIRST_RETRY;
    loop {
        let last_try = deadline.passed();
        if let Some(lock) = try_lock_file(file, mode)? {
            return Ok(lock);
        }
        if last_try {
            let holders = describe_holders(file);
            return Err(LockError::Held { path: what.to_owned(), holders, limit });
        }
        if !told && deadline.elapsed() > TELL_AFTER {
            tracing::info!("waiting for {}, in use by {}", what.display(), describe_holders(file));
            told = true;
        }
        thread::sleep(pause.min(deadline.remaining()));
        pause = (2 * pause).min(RETRY_INTERVAL);
    }
}

fn try_once(path: &Path, mode: Mode) -> io::Result<Option<DirLock>> {
    loop {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(PRIVATE_MODE)
            .open(path)?;
        let locked = match mode {
            Mode::Exclusive => file.try_lock(),
            Mode::Shared => file.try_lock_shared(),
        };
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Its last holder may have removed the directory, and somebody may have made a new one.
        if is_at(&file, path)? {
            let mut lock = DirLock { file, mode };
            lock.sign()?;
            return Ok(Some(lock));
        }
    }
}

impl DirLock {
    /// How the lock is held.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    fn sign(&mut self) -> io::Result<()> {
        let full = self.file.metadata()?.len() > HOLDERS_SIZE;
        if self.mode == Mode::Exclusive || full {
            let living = if full { living_holders(&self.file)? } else { Vec::new() };
            self.file.set_len(0)?;
            living.iter().try_for_each(|holder| writeln!(self.file, "{holder}"))?;
        }
        let pid = std::process::id();
        match writeln!(self.file, "{pid} {}", command_of(pid).unwrap_or_default()) {
            // The lock is held all the same; only its message is poorer. `destroy` on a full disk needs it.
            Err(error) if is_full(&error) => Ok(()),
            result => result,
        }
    }
}

/// Whether there is no room, on the disk or in the user's share of it.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn describe_holders(path: &Path) -> String {
    let holders = File::open(path).and_then(|file| living_holders(&file)).unwrap_or_default();
    if holders.is_empty() {
        return "another process".to_owned();
    }
    let named = holders.iter().map(|holder| match holder.split_once(' ') {
        Some((pid, command)) => format!("process {pid} (`{command}`)"),
        None => format!("process {holder}"),
    });
    named.collect::<Vec<_>>().join(" and ")
}

/// The lines of a lock file whose process is still the one that wrote it.
fn living_holders(mut file: &File) -> io::Result<Vec<String>> {
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    let mut lines: Vec<String> =
        text.lines().filter(|line| lives(line)).map(str::to_owned).collect();
    lines.sort();
    lines.dedup();
    Ok(lines)
}

fn lives(holder: &str) -> bool {
    let (pid, command) = holder.split_once(' ').unwrap_or((holder, ""));
    pid.parse().ok().and_then(command_of).is_some_and(|now| now == command)
}

/// The command line of a process on one line.
fn command_of(pid: u32) -> Option<String> {
    let words = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let text = String::from_utf8_lossy(&words).replace(|c: char| c == '\0' || c.is_control(), " ");
    Some(text.trim().to_owned())
}

#[cfg(test)]
mod tests;
