//! The end of a run: the worker leaves, the last event and the reports are written.

use std::io;

use super::super::interrupts;
use super::super::worker_process::WorkerProcess;
use super::{Run, Session};
use crate::events::{self, RunResult, What};
use crate::report::{console, junit};

/// A scenario failed; libtest's code.
const EXIT_FAILED: u8 = 101;

/// The environment failed, or the harness itself.
pub(in super::super) const EXIT_INFRASTRUCTURE: u8 = 3;

/// What there is to say and to return after a run.
#[derive(Debug)]
pub(in super::super) struct Finish {
    /// What is printed.
    pub(in super::super) lines: Vec<String>,
    /// What the process exits with.
    pub(in super::super) exit_code: u8,
}

impl Run {
    /// Ends the run. `failed` says whether a scenario did.
    pub(in super::super) fn finish(&mut self, failed: bool) -> Finish {
        if let Some(worker) = self.worker.take() {
            self.end_worker(worker, WorkerProcess::quit);
        }
        if let Some(signal) = self.interrupts.signal() {
            self.event(What::Interrupted { signal: interrupts::name(signal) });
        }
        let (result, exit_code) = self.result(failed);
        let put_away = self.put_away(result);
        let exit_code =
            if put_away.is_err() { at_least_infrastructure(exit_code) } else { exit_code };
        let mut lines = put_away.unwrap_or_else(|failure| vec![format!("error: {failure}")]);
        self.event(What::RunFinished { result, exit_code });

        let Some(session) = &self.session else {
            return Finish { lines, exit_code };
        };
        match report(session) {
            Ok(report) => lines.extend(report),
            Err(error) => {
                lines.push(format!("error: the reports could not be written: {error}"));
                return Finish { lines, exit_code: at_least_infrastructure(exit_code) };
            }
        }
        if let Some(lost) = session.lost() {
            lines.push(format!("error: the events are incomplete: {lost}"));
            return Finish { lines, exit_code: at_least_infrastructure(exit_code) };
        }
        Finish { lines, exit_code }
    }

    fn result(&self, failed: bool) -> (RunResult, u8) {
        if let Some(signal) = self.interrupts.signal() {
            (RunResult::Interrupted, interrupts::exit_code(signal))
        } else if self.broken.is_some() {
            (RunResult::Infrastructure, EXIT_INFRASTRUCTURE)
        } else if failed {
            (RunResult::Failed, EXIT_FAILED)
        } else {
            (RunResult::Passed, 0)
        }
    }
}

/// An exit code that says that something is wrong; the first thing that is wrong is the one that it says.
fn at_least_infrastructure(exit_code: u8) -> u8 {
    if exit_code == 0 { EXIT_INFRASTRUCTURE } else { exit_code }
}

/// Writes the reports from the events and says where they are.
fn report(session: &Session) -> io::Result<Vec<String>> {
    let files = &session.files;
    let events = events::read(&files.events())?;
    junit::write(&events, &files.prefix, &files.junit())?;
    Ok(vec![
        console::summary(&events),
        "events:".to_owned(),
        files.events().display().to_string(),
        "JUnit report:".to_owned(),
        files.junit().display().to_string(),
    ])
}
