//! Reports: functions of the events of a run.

pub(crate) mod console;
mod find;
pub(crate) mod github;
pub(crate) mod html;
pub(crate) mod junit;
mod merged;
pub(crate) mod ongoing;
#[cfg(test)]
mod sample;
mod text;
mod timeline;
pub(crate) mod trace;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use chrono::Utc;

use crate::events::{self, Event, What};
use crate::files::{self, Files};
use crate::limits;
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
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) written: io::Result<()>,
}

impl Report {
    fn write(name: &str, path: &Path, write: impl FnOnce(&Path) -> io::Result<()>) -> Self {
        Self { name: name.to_owned(), path: path.to_owned(), written: write(path) }
    }
}

/// Writes all reports of a run, each whatever becomes of the others. A reader finds an old one or the new one at any
/// moment, never a half.
pub(crate) fn write_all(run: &RecordedRun, files: &Files) -> Vec<Report> {
    let mut reports = vec![
        Report::write("JUnit report", &files.junit(), |path| junit::write(&[run], path)),
        Report::write("HTML report", &files.html(), |path| html::write(run, path)),
        Report::write("trace", &files.trace(), |path| trace::write(run, path)),
    ];
    reports.extend(files.merged_junit().map(write_merged));
    reports
}

/// Writes one JUnit file of some runs.
pub(crate) fn write_merge_of(runs: &[RecordedRun], path: &Path) -> Report {
    Report::write(&merged_name(runs), path, |path| {
        junit::write(&runs.iter().collect::<Vec<_>>(), path)
    })
}

/// Writes the JUnit file of all suites that have their workdirs beside it.
pub(crate) fn write_merged(path: &Path) -> Report {
    let written = merged::write(path, limits::MERGE);
    let name = match &written {
        Ok(runs) => merged_name(runs),
        Err(_) => "JUnit report of all suites".to_owned(),
    };
    Report { name, path: path.to_owned(), written: written.map(drop) }
}

fn merged_name(runs: &[RecordedRun]) -> String {
    format!("JUnit report of {}", console::suites(runs, Utc::now()))
}

/// Writes a file in one step: a reader never sees half of it. Directories that are missing are made.
fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let directory = path.parent().filter(|at| !at.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    let mut file = tempfile::Builder::new()
        .prefix(&files::half_written(path))
        .permissions(fs::Permissions::from_mode(0o644))
        .tempfile_in(directory)?;
    write(file.as_file_mut())?;
    file.persist(path)?;
    Ok(())
}
