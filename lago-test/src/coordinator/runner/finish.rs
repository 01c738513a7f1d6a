//! The end of a run: workers leave, the environment is put away, the last event and the reports are written.

use std::io;

use super::super::interrupts;
use super::super::run::Run;
use super::{Lanes, Runner};
use crate::events::{self, RunResult, What};
use crate::files::Files;
use crate::report::{self, RecordedRun, Report, console, github};
use crate::result::Failure;

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
    /// What GitHub Actions is told, when it runs there.
    pub(in super::super) annotations: Vec<String>,
}

impl Finish {
    /// Takes note of what went wrong beside the run.
    pub(in super::super) fn add_error(&mut self, error: &str) {
        self.lines.push(format!("error: {error}"));
        self.exit_code = at_least_infrastructure(self.exit_code);
    }
}

impl Runner {
    /// Says that nothing more is to run, before [`finish`](Self::finish).
    pub(in super::super) fn call_off(&self, reason: &str) {
        self.run.call_off(reason);
    }

    /// Ends the run. `failed` says whether a scenario did.
    pub(in super::super) fn finish(&mut self, failed: bool) -> Finish {
        self.end_lanes();
        if let Some(signal) = self.run.interrupts.signal() {
            self.run.event(What::Interrupted { signal: interrupts::name(signal) });
        }
        let result = self.run.result(failed);
        let mut exit_code = exit_code(&self.run, result);
        let put_away = self.put_away(result);
        let mut lines = std::mem::take(&mut self.left);
        let failures = self.trouble.take().into_iter().chain(put_away.as_ref().err().cloned());
        let failures: Vec<Failure> = failures.collect();
        if !failures.is_empty() {
            exit_code = at_least_infrastructure(exit_code);
        }
        lines.extend(put_away.unwrap_or_default());
        lines.extend(failures.into_iter().map(|failure| format!("error: {failure}")));
        self.run.close(What::RunFinished { result, exit_code });

        self.run.end_reports();
        let mut finish = Finish { lines, exit_code, annotations: Vec::new() };
        let Some(files) = self.run.files() else { return finish };
        report(&files, &mut finish);
        if let Some(lost) = self.run.lost_event() {
            finish.add_error(&format!("the events are incomplete: {lost}"));
        }
        finish
    }

    /// Waits for the lanes that still run; the one on the prefix stays, without its worker.
    fn end_lanes(&mut self) {
        if let Lanes::Several(_) = self.lanes
            && let Lanes::Several(parallel) = std::mem::replace(&mut self.lanes, Lanes::None)
        {
            let ended = parallel.end();
            self.left = ended.left;
            self.trouble = ended.trouble;
            self.states = ended.states;
            self.lanes = ended.lane.map_or(Lanes::None, |lane| Lanes::One(Box::new(lane)));
        }
        if let Lanes::One(lane) = &mut self.lanes {
            lane.leave();
        }
    }
}

fn exit_code(run: &Run, result: RunResult) -> u8 {
    match result {
        RunResult::Passed => 0,
        RunResult::Failed => EXIT_FAILED,
        RunResult::Infrastructure => EXIT_INFRASTRUCTURE,
        RunResult::Interrupted => run.interrupts.signal().map_or(1, interrupts::exit_code),
    }
}

/// An exit code that says that something is wrong; the first thing that is wrong is the one that it says.
fn at_least_infrastructure(exit_code: u8) -> u8 {
    if exit_code == 0 { EXIT_INFRASTRUCTURE } else { exit_code }
}

/// Writes the reports from the events and says where they are, and what went wrong with them.
fn report(files: &Files, finish: &mut Finish) {
    let run = match RecordedRun::read(&files.prefix) {
        Ok(run) => run,
        Err(error) => return finish.add_error(&format!("the events cannot be read: {error}")),
    };
    // What other processes of this run have told is not told again.
    let last_part = files.is_later_part().then(|| events::read_last_part(&files.events()));
    let own = last_part.and_then(Result::ok);
    let own = own.as_ref().unwrap_or(&run.events);
    if github::is_here() {
        finish.annotations = github::annotations(own, github::in_repository);
    }
    finish.lines.extend(console::repetitions(own));
    finish.lines.extend(console::unsteady(own));
    finish.lines.extend(console::capsules(own, &files.prefix));
    let events = files.events().display().to_string();
    finish.lines.extend([console::summary(own), "events:".to_owned(), events]);
    for Report { name, path, written } in report::write_all(&run, files) {
        let path = path.display();
        match written {
            Ok(()) => finish.lines.extend([format!("{name}:"), path.to_string()]),
            // This run's own report is there. The one of all suites belongs to nobody: that somebody else has it says
            // nothing about this run, which whoever writes it next finds.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                finish.lines.push(format!(
                    "warning: the {name} {path} does not have the end of this run yet: {error}; `lago-test report` \
                     writes it anew"
                ));
            }
            Err(error) => {
                finish.add_error(&format!("the {name} {path} could not be written: {error}"));
            }
        }
    }
}
