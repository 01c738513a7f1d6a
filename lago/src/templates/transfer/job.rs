//! One file on its way: what the threads that fetch its parts and the one that reads it share.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use reqwest::blocking::Response;

use super::error::TransferError;
use super::state::{Part, State};
use crate::templates::sparse;
use crate::utils::{FileError, PRIVATE_MODE};

/// How often the state is kept: a killed process loses about as much.
const SAVE_INTERVAL: Duration = Duration::from_secs(1);

/// A file on its way.
pub(super) struct Job {
    file: File,
    path: PathBuf,
    shared: Mutex<Shared>,
    changed: Condvar,
}

struct Shared {
    state: State,
    /// Parts that somebody is fetching.
    taken: Vec<bool>,
    /// How many connections are at work.
    working: usize,
    /// The first part that is not complete.
    first_open: usize,
    end: Option<End>,
    saved: Instant,
}

/// Why a job ended before everything had come.
pub(super) enum End {
    /// A part cannot be fetched.
    Failed(TransferError),
    /// The file has to be fetched from its beginning once more.
    Restart(Restart),
    /// The reader has given up.
    Unwanted,
}

/// Why a file has to be fetched from its beginning.
#[derive(Default)]
pub(super) struct Restart {
    /// What went wrong, when the server cannot go on where it stopped. Without it, the server has another file now.
    pub(super) cause: Option<TransferError>,
    /// An answer with the whole file.
    pub(super) response: Option<Box<Response>>,
}

/// The job has ended, for whatever reason.
#[derive(Debug)]
pub(super) struct Ended;

/// Ends a job when a thread that works on it panics: the others would wait for it for ever.
pub(super) struct EndOnPanic<'a>(pub(super) &'a Job);

impl Drop for EndOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.end(End::Unwanted);
        }
    }
}

impl Job {
    /// Goes on with what the state says; the file has it already. Without anything done, the file is made anew.
    pub(super) fn open(path: &Path, state: State) -> Result<Self, FileError> {
        let afresh = state.done() == 0;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(afresh).mode(PRIVATE_MODE);
        let file = options.open(path).map_err(FileError::io("create", path))?;
        if let Some(length) = state.length {
            // A reader finds the zeros that are not written.
            file.set_len(length).map_err(FileError::io("write", path))?;
        }
        let taken = vec![false; state.parts.len()];
        let shared =
            Shared { state, taken, working: 0, first_open: 0, end: None, saved: Instant::now() };
        let job = Self {
            file,
            path: path.to_owned(),
            shared: Mutex::new(shared),
            changed: Condvar::new(),
        };
        job.save();
        Ok(job)
    }

    /// The state as it is now.
    pub(super) fn state(&self) -> State {
        self.lock().state.clone()
    }

    /// The first part for a connection that begins to work.
    pub(super) fn first_part(&self) -> Option<usize> {
        let mut shared = self.lock();
        shared.working += 1;
        shared.take_part()
    }

    /// The next part for a connection that has finished one. Without any it has no more to do.
    pub(super) fn next_part(&self) -> Option<usize> {
        self.lock().take_part()
    }

    /// Gives a part to the other connections and ends this one; false when there are no others.
    pub(super) fn leave_to_others(&self, index: usize) -> bool {
        let mut shared = self.lock();
        // Whoever works asks for a next part, and finds this one.
        if shared.working < 2 {
            return false;
        }
        shared.working -= 1;
        shared.taken[index] = false;
        true
    }

    /// A part as it is now.
    pub(super) fn part(&self, index: usize) -> Part {
        self.lock().state.parts[index].clone()
    }

    /// Takes the next bytes of a part.
    pub(super) fn write(&self, index: usize, bytes: &[u8]) -> Result<(), FileError> {
        let position = self.part(index).position();
        let write = || {
            sparse::write_at(&self.file, bytes, position)?;
            let end = position + bytes.len() as u64;
            // Zeros at the end of a file of unknown length.
            if self.file.metadata()?.len() < end { self.file.set_len(end) } else { Ok(()) }
        };
        write().map_err(FileError::io("write", &self.path))?;
        self.advance(index, bytes.len() as u64);
        Ok(())
    }

    fn advance(&self, index: usize, count: u64) {
        let mut shared = self.lock();
        let part = &mut shared.state.parts[index];
        part.done += count;
        part.complete = part.left() == Some(0);
        let due = shared.saved.elapsed() > SAVE_INTERVAL;
        if due {
            shared.saved = Instant::now();
        }
        self.announce(shared);
        if due {
            self.save();
        }
    }

    /// A part whose end was not known has ended.
    pub(super) fn finish_part(&self, index: usize) {
        let mut shared = self.lock();
        let part = &mut shared.state.parts[index];
        part.complete = true;
        part.end = Some(part.position());
        self.announce(shared);
    }

    fn announce(&self, mut shared: MutexGuard<'_, Shared>) {
        let complete =
            |index: usize| shared.state.parts.get(index).is_some_and(|part| part.complete);
        let mut first_open = shared.first_open;
        while complete(first_open) {
            first_open += 1;
        }
        shared.first_open = first_open;
        drop(shared);
        self.changed.notify_all();
    }

    /// Keeps the state, best effort: without it only the next process has to begin anew.
    pub(super) fn save(&self) {
        let state = self.state();
        if let Err(error) = state.save(&self.path) {
            tracing::debug!("cannot keep the state of {}: {error}", self.path.display());
        }
    }

    /// Ends the job; the first reason counts.
    pub(super) fn end(&self, end: End) {
        self.lock().end.get_or_insert(end);
        self.changed.notify_all();
    }

    /// Why the job ended, if it did.
    pub(super) fn into_end(self) -> Option<End> {
        self.shared.into_inner().unwrap_or_else(PoisonError::into_inner).end
    }

    /// Waits before the next try.
    pub(super) fn pause(&self, pause: Duration) -> Result<(), Ended> {
        let shared = self.lock();
        let (shared, _) = self
            .changed
            .wait_timeout_while(shared, pause, |shared| shared.end.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        if shared.end.is_some() { Err(Ended) } else { Ok(()) }
    }

    pub(super) fn check(&self) -> Result<(), Ended> {
        self.pause(Duration::ZERO)
    }

    /// Reads the file from its beginning, as it comes in.
    pub(super) fn reader(&self) -> Frontier<'_> {
        Frontier { job: self, position: 0 }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// A part that nobody is fetching, which is the caller's from now on; without any, the caller ends.
    fn take_part(&mut self) -> Option<usize> {
        let open =
            |(index, part): (usize, &Part)| (!part.complete && !self.taken[index]).then_some(index);
        let next = self.state.parts.iter().enumerate().find_map(open);
        match next.filter(|_| self.end.is_none()) {
            Some(next) => self.taken[next] = true,
            None => self.working -= 1,
        }
        next.filter(|_| self.end.is_none())
    }

    /// Up to where everything is there, and whether that is all.
    fn frontier(&self) -> (u64, bool) {
        match self.state.parts.get(self.first_open) {
            Some(part) => (part.position(), false),
            None => (self.state.parts.last().map_or(0, Part::position), true),
        }
    }
}

/// Reads what has come without gaps, and waits for more. What was just written is still in the page cache.
pub(super) struct Frontier<'a> {
    job: &'a Job,
    position: u64,
}

impl Read for Frontier<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut shared = self.job.lock();
        let available = loop {
            if shared.end.is_some() {
                return Err(io::Error::other("the download has ended before"));
            }
            let (frontier, all) = shared.frontier();
            if frontier > self.position {
                break frontier - self.position;
            }
            if all {
                return Ok(0);
            }
            shared = self.job.changed.wait(shared).unwrap_or_else(PoisonError::into_inner);
        };
        drop(shared);
        let wanted = usize::try_from(available).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.job.file.read_at(&mut buffer[..wanted], self.position)?;
        if count == 0 && wanted > 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file was cut while it came",
            ));
        }
        self.position += count as u64;
        Ok(count)
    }
}
