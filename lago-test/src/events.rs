//! Everything that happens in a run, as it is written to `events.jsonl`: one JSON object a line, flushed as it happens.
//! Reports are functions of this file.

use std::fs::File;
use std::io::{self, BufRead, Write as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::outcome::Outcome;

/// The version of these events; it changes when a reader of the old ones would misread the new.
pub const SCHEMA: u32 = 1;

/// One line of `events.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// The first line: who runs what. Everything in `planned` that has no `scenario_finished` later did not run.
    RunStarted {
        /// [`SCHEMA`].
        schema: u32,
        /// The suite's name.
        suite: String,
        /// The version of this crate.
        version: String,
        /// The coordinator's process.
        pid: u32,
        /// Its command line.
        arguments: Vec<String>,
        /// Where it runs.
        machine: Machine,
        /// What is going to run, in order.
        planned: Vec<Planned>,
    },
    /// The environment is being brought up.
    EnvironmentStarting,
    /// Scenarios can run.
    EnvironmentUp {
        /// How long it took, in milliseconds.
        took_ms: u64,
    },
    /// No scenario can run.
    EnvironmentFailed {
        /// Why.
        reason: String,
    },
    /// A worker process is ready.
    WorkerStarted {
        /// Its number, from 1.
        worker: u32,
        /// Its process.
        pid: u32,
    },
    /// A worker process is gone.
    WorkerEnded {
        /// Its number.
        worker: u32,
        /// How: `exited with 0`, `killed by signal 9 (SIGKILL)`.
        how: String,
    },
    /// The environment was put back into the state at the end of a stage.
    StageRestored {
        /// The stage.
        stage: String,
    },
    /// A scenario starts in a worker.
    ScenarioStarted {
        /// Its stage.
        stage: String,
        /// Its name.
        scenario: String,
        /// The worker's number.
        worker: u32,
        /// The file that takes its output, from the prefix.
        log: PathBuf,
    },
    /// A scenario has ended, or will not run.
    ScenarioFinished {
        /// Its stage.
        stage: String,
        /// Its name.
        scenario: String,
        /// How it ended.
        #[serde(flatten)]
        outcome: Outcome,
        /// How long it ran, in milliseconds; 0 when it did not.
        took_ms: u64,
        /// Its output, unless there was none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<OutputFile>,
    },
    /// All of a stage has run.
    StageFinished {
        /// The stage.
        stage: String,
        /// Why its end state was not kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_kept: Option<String>,
    },
    /// A signal asks the run to end.
    Interrupted {
        /// Its name.
        signal: String,
    },
    /// The environment was taken down.
    EnvironmentDiscarded,
    /// The environment stays.
    EnvironmentKept {
        /// Why.
        reason: String,
    },
    /// The environment could not be taken down.
    EnvironmentLeft {
        /// Why.
        reason: String,
    },
    /// The last line.
    RunFinished {
        /// How the run ended.
        result: RunResult,
        /// The coordinator's exit code.
        exit_code: u8,
    },
}

/// Where a run takes place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Its host name.
    pub hostname: String,
    /// Its kernel: `Linux 6.1.0-13-amd64 x86_64`.
    pub kernel: String,
}

impl Machine {
    /// This one.
    pub(crate) fn this() -> Self {
        let uname = rustix::system::uname();
        let text = |name: &std::ffi::CStr| name.to_string_lossy().into_owned();
        Self {
            hostname: text(uname.nodename()),
            kernel: format!(
                "{} {} {}",
                text(uname.sysname()),
                text(uname.release()),
                text(uname.machine())
            ),
        }
    }
}

/// A scenario that is going to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Its stage.
    pub stage: String,
    /// Its name.
    pub scenario: String,
    /// Whether it runs only because a selected one stands on it.
    pub prerequisite: bool,
}

/// A scenario's output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputFile {
    /// The file, from the prefix.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunResult {
    /// Nothing failed.
    Passed,
    /// A scenario failed.
    Failed,
    /// The environment failed.
    Infrastructure,
    /// A signal ended it.
    Interrupted,
}

/// Writes events, each with one `write`, so that a reader sees whole lines at any moment.
#[derive(Debug)]
pub(crate) struct EventLog {
    file: File,
}

impl EventLog {
    /// Starts a new file in the place of any old one.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { file: File::create(path)? })
    }

    pub(crate) fn write(&mut self, what: What) -> io::Result<()> {
        let mut line = serde_json::to_vec(&Event { at: Utc::now(), what })?;
        line.push(b'\n');
        self.file.write_all(&line)
    }
}

/// Reads the events of a run. A last line that is not whole, as a full disk or a lost machine leaves it, is left out.
///
/// # Errors
/// When the file cannot be read, or a whole line in it is no event of this [`SCHEMA`].
pub fn read(path: &Path) -> io::Result<Vec<Event>> {
    let mut stream = io::BufReader::new(File::open(path)?);
    let mut events = Vec::new();
    let mut line = Vec::new();
    while stream.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
        let event = serde_json::from_slice(&line).map_err(|error| {
            let place = format!("{}, line {}", path.display(), events.len() + 1);
            io::Error::new(io::ErrorKind::InvalidData, format!("{place}: no event: {error}"))
        })?;
        events.push(event);
        line.clear();
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::Failure;

    #[test]
    fn events_are_read_back_without_a_torn_last_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.jsonl");
        let finished = What::ScenarioFinished {
            stage: "a".into(),
            scenario: "b".into(),
            outcome: Outcome::Failed { failure: Failure::new("no").context("page") },
            took_ms: 3,
            output: Some(OutputFile { path: "logs/a.b.log".into(), bytes: 7 }),
        };
        let mut log = EventLog::create(&path).unwrap();
        log.write(What::EnvironmentStarting).unwrap();
        log.write(finished.clone()).unwrap();
        log.file.write_all(b"{\"at\":\"20").unwrap();

        let events = read(&path).unwrap();
        assert_eq!(events.len(), 2);
        assert_eq!(events[1].what, finished);
    }

    #[test]
    fn a_line_that_is_no_event_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.jsonl");
        std::fs::write(&path, "{}\n").unwrap();
        let message = read(&path).unwrap_err().to_string();
        assert!(message.contains("events.jsonl, line 1: no event"), "{message}");
    }
}
