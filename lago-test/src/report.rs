//! Reports: functions of the events of a run.

pub(crate) mod console;
mod find;
pub(crate) mod junit;
mod text;

use std::io;
use std::path::{Path, PathBuf};

use crate::events::{self, Event, What};
use crate::files::Files;
pub(crate) use find::prefixes_below;

/// What a run has left: its events, and the directory from which the paths in them start.
#[derive(Debug)]
pub(crate) struct RecordedRun {
    /// The prefix.
    pub(crate) prefix: PathBuf,
    pub(crate) events: Vec<Event>,
}

impl RecordedRun {
    /// Reads what the run in a prefix has left so far. It may still go on, or have been killed.
    pub(crate) fn read(prefix: &Path) -> io::Result<Self> {
        let prefix = std::path::absolute(prefix)?;
        let path = Files::events_of(&prefix);
        let events = events::read(&path)?;
        let run = Self { prefix, events };
        if run.suite().is_none() {
            let message = format!("{} does not begin with `run_started`", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(run)
    }

    /// The suite that ran.
    pub(crate) fn suite(&self) -> Option<&str> {
        match &self.events.first()?.what {
            What::RunStarted { suite, .. } => Some(suite),
            _ => None,
        }
    }
}

/// A report, and what came of writing it.
#[derive(Debug)]
pub(crate) struct Report {
    /// What a person calls it: `JUnit report`.
    pub(crate) name: &'static str,
    pub(crate) path: PathBuf,
    pub(crate) written: io::Result<()>,
}

impl Report {
    fn write(
        name: &'static str,
        path: PathBuf,
        write: impl FnOnce(&Path) -> io::Result<()>,
    ) -> Self {
        let written = write(&path);
        Self { name, path, written }
    }
}

/// Writes all reports of a run, each whatever becomes of the others. A reader finds an old one or the new one at any
/// moment, never a half.
pub(crate) fn write_all(run: &RecordedRun, files: &Files) -> Vec<Report> {
    vec![Report::write("JUnit report", files.junit(), |path| junit::write(&[run], path))]
}
