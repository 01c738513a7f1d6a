//! One JUnit file of all suites that have their workdirs in one place.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::{RecordedRun, junit, prefixes_below};
use crate::files;

/// How often another suite's lock is tried.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Writes the file anew from what the last run of each suite beside it has left so far, and gives these runs. Fails with
/// [`io::ErrorKind::WouldBlock`] when another suite is writing it for longer than `wait`.
///
/// Suites may run at the same time. The one that writes last has seen what all others had before, as only one at a time
/// reads and writes.
pub(crate) fn write(path: &Path, wait: Duration) -> io::Result<Vec<RecordedRun>> {
    let place = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(place)?;
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path.with_extension("lock"))?;
    lock(&mut file, wait)?;
    files::remove_half_written(path)?;
    let mut runs = Vec::new();
    for prefix in prefixes_below(place)? {
        // One that has gone meanwhile, or whose run is about to begin, has nothing to tell.
        runs.extend(RecordedRun::read(&prefix));
    }
    junit::write(&runs.iter().collect::<Vec<_>>(), path)?;
    Ok(runs)
}

/// The lock ends when the file is closed.
fn lock(file: &mut File, wait: Duration) -> io::Result<()> {
    let deadline = Instant::now() + wait;
    loop {
        match file.try_lock() {
            Ok(()) => return files::sign(file),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                let owner = files::owner(file);
                let message = format!(
                    "another suite (process {owner}) is writing it, or hangs while it does"
                );
                return Err(io::Error::new(io::ErrorKind::WouldBlock, message));
            }
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("junit.xml");
        let mut other = File::create(path.with_extension("lock")).unwrap();
        lock(&mut other, Duration::ZERO).unwrap();
        let error = write(&path, Duration::ZERO).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{error}");
        assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
        drop(other);
        let killed = place.path().join(".report-junit.xml-x1");
        let others = place.path().join(".report-web.junit.xml-x1");
        File::create(&killed).unwrap();
        File::create(&others).unwrap();
        assert!(write(&path, Duration::ZERO).unwrap().is_empty());
        assert!(path.exists() && !killed.exists() && others.exists());
    }
}
