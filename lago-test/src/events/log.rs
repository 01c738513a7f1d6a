//! The file of events: written as they happen, read for reports.

use std::fs::File;
use std::io::{self, BufRead as _, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use chrono::Utc;

use super::merge::{self, EarlierParts};
use super::{Event, What};

/// Writes events, each with one `write`, so that a reader sees whole lines at any moment.
#[derive(Debug)]
pub(crate) struct EventLog {
    file: File,
    /// Whether it ends within a line.
    torn: bool,
}

impl EventLog {
    /// Starts a new file in the place of any old one.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let file = File::options().append(true).create(true).open(path)?;
        file.set_len(0)?;
        Ok(Self { file, torn: false })
    }

    /// Goes on with a file, whose last writer may have died within a line.
    pub(crate) fn append(path: &Path) -> io::Result<Self> {
        let mut file = File::options().read(true).append(true).open(path)?;
        let mut last = [b'\n'];
        if file.metadata()?.len() > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        Ok(Self { file, torn: last != [b'\n'] })
    }

    pub(crate) fn write(&mut self, what: What) -> io::Result<()> {
        let mut line = Vec::new();
        if self.torn {
            line.push(b'\n');
        }
        serde_json::to_writer(&mut line, &Event { at: Utc::now(), what })?;
        line.push(b'\n');
        let length = self.file.metadata()?.len();
        if let Err(error) = self.file.write_all(&line) {
            // A full disk may have taken a part of the line.
            self.torn |= self.file.set_len(length).is_err();
            return Err(error);
        }
        self.torn = false;
        Ok(())
    }
}

/// Reads the events of a run. A line that is not whole, as a full disk or a lost machine leaves it, is left out.
///
/// What several processes of one run of `cargo nextest` have written is given as if one of them had done it all: one
/// [`What::RunStarted`] with all that was planned, for each scenario one [`What::ScenarioFinished`], one
/// [`What::RunFinished`]. A scenario ended as it did where it was selected, whatever became of it where another one that
/// stands on it was.
///
/// # Errors
/// When the file cannot be read, or a whole line in it is no event of this [`SCHEMA`](super::SCHEMA).
pub fn read(path: &Path) -> io::Result<Vec<Event>> {
    read_lines(path).map(merge::merged)
}

/// Reads what the last process has written.
pub(crate) fn read_last_part(path: &Path) -> io::Result<Vec<Event>> {
    read_lines(path).map(merge::last_part)
}

impl EarlierParts {
    /// What processes of one run have written so far; none when the file is not there or is another run's.
    pub(crate) fn read(path: &Path, part_of: &str) -> io::Result<Option<Self>> {
        // What else another run's file holds does not matter, as it is going to be replaced: a later version of this
        // program, say, may have written what this one does not know.
        match first(path)? {
            Some(Event { what: What::RunStarted { part_of: Some(run), .. }, .. })
                if run == part_of =>
            {
                Ok(Self::of(&read_lines(path)?, part_of))
            }
            _ => Ok(None),
        }
    }
}

/// Whether this is a run's file of events.
pub(crate) fn is_of_a_run(path: &Path) -> io::Result<bool> {
    Ok(matches!(first(path)?, Some(Event { what: What::RunStarted { .. }, .. })))
}

/// The first event in a file; none when the file is not there or begins with something else.
fn first(path: &Path) -> io::Result<Option<Event>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut stream = io::BufReader::new(file);
    let mut line = Vec::new();
    while stream.read_until(b'\n', &mut line)? > 0 {
        match serde_json::from_slice(&line) {
            Ok(event) => return Ok(Some(event)),
            // A line of which a part is missing.
            Err(error) if !error.is_data() => line.clear(),
            Err(_) => return Ok(None),
        }
    }
    Ok(None)
}

fn read_lines(path: &Path) -> io::Result<Vec<Event>> {
    let mut stream = io::BufReader::new(File::open(path)?);
    let mut events = Vec::new();
    let mut line = Vec::new();
    let mut number = 0;
    while stream.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
        number += 1;
        match serde_json::from_slice(&line) {
            Ok(event) => events.push(event),
            // No JSON: a line of which a part is missing.
            Err(error) if !error.is_data() => {}
            Err(error) => {
                let place = format!("{}, line {number}", path.display());
                let message = format!("{place}: no event: {error}");
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
        }
        line.clear();
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::super::OutputFile;
    use super::*;
    use crate::outcome::Outcome;
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
    fn a_torn_line_costs_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.jsonl");
        let mut log = EventLog::create(&path).unwrap();
        log.write(What::EnvironmentStarting).unwrap();
        log.file.write_all(b"{\"at\":\"20").unwrap();
        log.torn = true;
        log.write(What::EnvironmentDiscarded).unwrap();
        log.write(What::EnvironmentStarting).unwrap();

        let events: Vec<_> = read(&path).unwrap().into_iter().map(|event| event.what).collect();
        let expected =
            [What::EnvironmentStarting, What::EnvironmentDiscarded, What::EnvironmentStarting];
        assert_eq!(events, expected);
    }

    /// `LAGO_NEXTEST=scenario` after a run of another version of the harness.
    #[test]
    fn strange_events_of_another_run_are_in_nobodys_way() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.jsonl");
        let parts = |run| EarlierParts::read(&path, run).map(|parts| parts.map(|it| it.number));
        assert_eq!(parts("that run").unwrap(), None);
        let mut log = EventLog::create(&path).unwrap();
        log.file.write_all(b"{\"at\":\"20\n").unwrap();
        log.write(merge::tests::started("that run", &["a"]).what).unwrap();
        assert_eq!(parts("that run").unwrap(), Some(1), "after a line that was torn");
        log.file.write_all(b"{\"at\":\"2026-01-01T00:00:00Z\",\"event\":\"moon_rose\"}\n").unwrap();
        assert_eq!(parts("this run").unwrap(), None);
        let message = parts("that run").unwrap_err().to_string();
        assert!(message.contains("line 3: no event"), "{message}");
        assert!(is_of_a_run(&path).unwrap());
        std::fs::write(&path, "{\"event\":\"moon_rose\"}\n").unwrap();
        assert_eq!(parts("that run").unwrap(), None);
        assert!(!is_of_a_run(&path).unwrap());
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
