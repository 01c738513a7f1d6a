//! Taking a prefix for one run.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::duration::spoken;
use crate::tell::tell;

/// How often another run's lock is tried.
const LOCK_PAUSE: Duration = Duration::from_millis(200);

/// Held while a run uses a prefix; gone with its process.
#[derive(Debug)]
pub(crate) struct PrefixLock {
    #[expect(dead_code, reason = "the lock ends when the file is closed")]
    file: File,
}

/// Takes the lock, waiting for another run that has it, unless the wait is called off.
pub(super) fn lock(
    path: &Path,
    limit: Duration,
    called_off: impl Fn() -> bool,
) -> io::Result<PrefixLock> {
    let mut file =
        File::options().read(true).write(true).create(true).truncate(false).open(path)?;
    let deadline = Instant::now() + limit;
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) => {}
        }
        let owner = owner(&mut file);
        if Instant::now() >= deadline {
            return Err(io::Error::other(format!(
                "another run (process {owner}) has had it for {}; wait for it or end it",
                spoken(limit)
            )));
        }
        if called_off() {
            return Err(io::Error::other(format!(
                "interrupted while waiting for another run (process {owner})"
            )));
        }
        if !told {
            tell(format_args!(
                "waiting for another run (process {owner}) to release {}",
                path.display()
            ));
            told = true;
        }
        std::thread::sleep(LOCK_PAUSE);
    }
    sign(&mut file)?;
    Ok(PrefixLock { file })
}

/// Writes into a lock file that this process has it, for [`owner`].
pub(crate) fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    write!(file, "{}", std::process::id())
}

/// The process that the lock file names; for a message only.
pub(crate) fn owner(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_string(&mut text));
    let rewound = file.seek(SeekFrom::Start(0));
    match (read, rewound) {
        (Ok(1..), Ok(_)) => text,
        _ => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_is_held_names_its_holder() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("default.lock");
        let held = lock(&path, Duration::ZERO, || false).unwrap();
        let message = lock(&path, Duration::ZERO, || false).unwrap_err().to_string();
        assert!(message.contains(&format!("process {}", std::process::id())), "{message}");
        drop(held);
        lock(&path, Duration::ZERO, || false).unwrap();
    }
}
