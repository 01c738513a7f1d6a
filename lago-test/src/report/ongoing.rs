//! The JUnit files of a run that goes on, so that a run that is killed has left them too.
//!
//! Whoever looks between two scenarios finds the first one in the file, as long as scenarios take longer than writing
//! does. Writing takes a twentieth of the time at most: a report is written as a whole, so writing it after each of
//! thousands of short scenarios would take longer than these.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{RecordedRun, junit, merged};
use crate::files::Files;

/// After writing, so many times as long nothing is written.
const PAUSE: u32 = 19;

/// Keeps the JUnit files up to date until it is ended.
#[derive(Debug)]
pub(crate) struct Ongoing {
    desk: Arc<Desk>,
    /// Writes what had to wait.
    late: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Desk {
    files: Files,
    pace: Mutex<Pace>,
    changed: Condvar,
}

/// When to write.
#[derive(Debug)]
struct Pace {
    is_outdated: bool,
    /// Not before.
    next: Instant,
    has_ended: bool,
}

impl Ongoing {
    /// Writes the files for the first time. From now on they are this run's.
    pub(crate) fn begin(files: &Files) -> Self {
        let pace = Pace { is_outdated: true, next: Instant::now(), has_ended: false };
        let desk = Arc::new(Desk {
            files: files.clone(),
            pace: Mutex::new(pace),
            changed: Condvar::new(),
        });
        desk.write(&mut desk.pace());
        let theirs = Arc::clone(&desk);
        let late = Some(thread::spawn(move || theirs.write_late()));
        Self { desk, late }
    }

    /// Something has happened that belongs into the files: they have it soon.
    pub(crate) fn is_outdated(&self) {
        self.desk.pace().is_outdated = true;
        self.desk.changed.notify_all();
    }

    /// As [`Self::is_outdated`], for what matters most: the files have it now, unless they were written just before.
    pub(crate) fn refresh(&self) {
        let mut pace = self.desk.pace();
        pace.is_outdated = true;
        if pace.wait().is_zero() {
            self.desk.write(&mut pace);
        } else {
            self.desk.changed.notify_all();
        }
    }
}

/// Nothing is written any more once it is gone.
impl Drop for Ongoing {
    fn drop(&mut self) {
        self.desk.pace().has_ended = true;
        self.desk.changed.notify_all();
        // A panic in it has been told of.
        let _ = self.late.take().map(JoinHandle::join);
    }
}

impl Desk {
    fn write_late(&self) {
        let mut pace = self.pace();
        while !pace.has_ended {
            let wait = pace.wait();
            pace = if !pace.is_outdated {
                self.changed.wait(pace).unwrap_or_else(PoisonError::into_inner)
            } else if wait.is_zero() {
                self.write(&mut pace);
                pace
            } else {
                let waited = self.changed.wait_timeout(pace, wait);
                waited.unwrap_or_else(PoisonError::into_inner).0
            };
        }
    }

    fn write(&self, pace: &mut Pace) {
        let began = Instant::now();
        pace.is_outdated = false;
        // What cannot be written now cannot be written at the end either, and then that is told.
        if self.write_files().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            pace.is_outdated = true;
        }
        pace.next = Instant::now() + began.elapsed() * PAUSE;
    }

    fn write_files(&self) -> io::Result<()> {
        let run = RecordedRun::read(&self.files.prefix)?;
        junit::write(&[&run], &self.files.junit())?;
        let merged = self.files.merged_junit().map(|path| merged::write(path, Duration::ZERO));
        merged.map_or(Ok(()), |written| written.map(drop))
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pace {
    /// How long nothing may be written yet.
    fn wait(&self) -> Duration {
        self.next.saturating_duration_since(Instant::now())
    }
}
