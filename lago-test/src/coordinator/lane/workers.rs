//! Running a scenario in a worker, and what becomes of the worker.

use std::env;
use std::io;
use std::ops::ControlFlow;
use std::process::Command;
use std::time::{Duration, Instant};

use super::super::consoles::{Consoles, Said};
use super::super::executable::Program;
use super::super::interrupts;
use super::super::plan::ScenarioId;
use super::super::run::{millis, text};
use super::super::tail::{self, Tail};
use super::super::worker_process::{Meanwhile, Waited, Watch, WorkerProcess};
use super::Lane;
use crate::console_watch;
use crate::events::What;
use crate::limits;
use crate::outcome::Outcome;
use crate::protocol::{self, Answer, Request};
use crate::result::{Failure, FailureKind};

/// Overrides the suite's launcher; split into words as a shell does.
const LAUNCHER_VARIABLE: &str = "LAGO_TEST_LAUNCHER";

impl Lane {
    /// Runs a scenario, in the worker that there is or in a new one. Says how long it ran, if it did.
    pub(super) fn run_in_worker(&mut self, id: ScenarioId) -> (Outcome, Option<Duration>) {
        let errored = |failure: Failure| Outcome::Errored { message: failure.to_string() };
        let worker = match self.idle_worker() {
            Ok(worker) => worker,
            Err(failure) => return (errored(failure), None),
        };
        let started = Instant::now();
        let outcome = self.ask(worker, id).unwrap_or_else(errored);
        (outcome, Some(started.elapsed()))
    }

    fn idle_worker(&mut self) -> Result<WorkerProcess, Failure> {
        match self.worker.take() {
            Some(worker) if worker.is_quiet() => return Ok(worker),
            // It died between two scenarios; neither is to blame.
            Some(worker) => drop(self.end_worker(worker, WorkerProcess::autopsy)),
            None => {}
        }
        self.start_worker()
    }

    /// Has a worker run a scenario. The worker is kept when it can run another one.
    fn ask(&mut self, mut worker: WorkerProcess, id: ScenarioId) -> Result<Outcome, Failure> {
        let (stage, scenario) = self.run.names(id);
        let relative = self.run.log(id);
        let log = self.run.files().map(|files| files.prefix.join(&relative)).unwrap_or_default();
        let limit = {
            let stage = &self.run.suite.stages()[id.stage];
            self.run.suite.limit(stage, &stage.list()[id.scenario])
        };
        let before = self.environment.as_ref().map(Consoles::now);
        self.run.event(What::ScenarioStarted {
            stage: stage.clone(),
            scenario: scenario.clone(),
            worker: worker.number(),
            log: relative,
            vms: self.run.vms(id),
            limit_ms: Some(millis(limit)),
        });
        let request =
            Request::Run { stage: stage.clone(), scenario: scenario.clone(), log: text(&log)? };
        let from = self.run.output_bytes(id);
        // When it cannot be sent, the worker is gone; waiting tells how.
        let _ = worker.send(&request);

        let live = self.run.options.live;
        let allowed = self.allowed([id]);
        let mut tail = live.map(|live| Tail::new(&stage, &scenario, &log, from, live));
        let has_consoles = self.consoles.is_some();
        let consoles = &mut self.consoles;
        let mut look = || {
            if let Some(tail) = &mut tail {
                tail.print_new();
            }
            match consoles.as_mut().and_then(|consoles| consoles.find(&allowed)) {
                Some(finding) => {
                    ControlFlow::Break(Outcome::Failed { failure: finding.into_failure() })
                }
                None => ControlFlow::Continue(()),
            }
        };
        let meanwhile: Option<(Duration, &mut Meanwhile<'_>)> = match (live, has_consoles) {
            (Some(_), _) => Some((tail::PAUSE, &mut look)),
            (None, true) => Some((console_watch::PAUSE, &mut look)),
            (None, false) => None,
        };
        let waited = worker.wait(Watch { limit, interrupts: &self.run.interrupts, meanwhile });
        let is_settled = matches!(waited, Waited::CalledOff(_));
        let outcome = self.conclude(worker, waited, limit);
        if let Some(tail) = &mut tail {
            tail.print_rest();
        }
        let outcome = if is_settled { outcome } else { self.with_consoles(outcome, &allowed) };
        self.note_consoles(before, id);
        Ok(outcome)
    }

    /// Records what the consoles have said while a scenario ran.
    fn note_consoles(&self, before: Option<Consoles>, id: ScenarioId) {
        let Some((consoles, environment)) = before.zip(self.environment.as_ref()) else { return };
        for said in consoles.said_since(environment.directory()) {
            let (stage, scenario) = self.run.names(id);
            let Said { vm, log, from, to } = said;
            let fork = self.fork_name();
            self.run.event(What::ConsoleOutput { stage, scenario, vm, log, from, to, fork });
        }
    }

    fn conclude(&mut self, worker: WorkerProcess, waited: Waited, limit: Duration) -> Outcome {
        match waited {
            Waited::Answer(Answer::Finished { failure }) => {
                self.worker = Some(worker);
                outcome(failure)
            }
            Waited::Gone => {
                let how = self.end_worker(worker, WorkerProcess::autopsy);
                Outcome::Errored { message: format!("the worker died in this scenario: {how}") }
            }
            Waited::LimitPassed => {
                self.end_worker(worker, WorkerProcess::kill);
                Outcome::timed_out(limit)
            }
            Waited::CalledOff(outcome) => {
                self.end_worker(worker, WorkerProcess::kill);
                outcome
            }
            Waited::Interrupted => {
                self.end_worker(worker, WorkerProcess::kill);
                let signal =
                    self.run.interrupts.signal().map_or_else(String::new, interrupts::name);
                Outcome::Errored { message: format!("interrupted by {signal} while it ran") }
            }
            Waited::Answer(other) => {
                self.end_worker(worker, WorkerProcess::kill);
                Outcome::Errored { message: format!("the worker answered {other:?}") }
            }
            Waited::Garbled(error) => {
                self.end_worker(worker, WorkerProcess::kill);
                Outcome::Errored { message: format!("the worker cannot be understood: {error}") }
            }
        }
    }

    fn start_worker(&mut self) -> Result<WorkerProcess, Failure> {
        let number = self.run.next_worker();
        let Some(log) = self.run.files().map(|files| files.worker_log(number)) else {
            return Err(Failure::infrastructure("a worker was asked for before there is a prefix"));
        };
        let (command, program, prefix) = self.worker_command()?;
        let shown = format!("{command:?}");
        let mut worker = WorkerProcess::start(command, number, &log)
            .map_err(|error| cannot_start(&error, &shown))?;
        drop(program);

        let hello = Request::Hello {
            protocol: protocol::VERSION,
            suite: self.run.suite.name().to_owned(),
            prefix,
        };
        let _ = worker.send(&hello);
        let watch = Watch {
            limit: limits::WORKER_START,
            interrupts: &self.run.interrupts,
            meanwhile: None,
        };
        let problem = match worker.wait(watch) {
            Waited::Answer(Answer::Ready { pid, .. }) => {
                self.run.event(What::WorkerStarted { worker: number, pid, fork: self.fork_name() });
                return Ok(worker);
            }
            Waited::Answer(Answer::Unfit { reason }) => reason,
            Waited::LimitPassed => {
                format!("it was not ready within {}", crate::duration::spoken(limits::WORKER_START))
            }
            Waited::Interrupted => "interrupted while it started".to_owned(),
            Waited::Gone => "it ended before it was ready".to_owned(),
            Waited::CalledOff(outcome) => outcome.to_string(),
            Waited::Answer(other) => format!("it answered {other:?}"),
            Waited::Garbled(error) => format!("it cannot be understood: {error}"),
        };
        let how = self.end_worker(worker, WorkerProcess::kill);
        Err(Failure::infrastructure(format!(
            "cannot use the worker: {problem} ({how}; started as {shown}; its own output is in {})",
            log.display()
        )))
    }

    /// The worker's command, in the environment if there is one, and the prefix that it opens.
    fn worker_command(&self) -> Result<(Command, Program, Option<String>), Failure> {
        let (mut command, program) = self.launched()?;
        let Some(environment) = &self.environment else { return Ok((command, program, None)) };
        environment.enter(&mut command)?;
        Ok((command, program, Some(text(environment.directory())?)))
    }

    /// This program again, through the launcher if there is one.
    fn launched(&self) -> Result<(Command, Program), Failure> {
        let program = self.run.executable.program();
        let program = program.map_err(|error| cannot_start(&error, "this program"))?;
        let launcher = self.launcher()?;
        let mut words = launcher.iter();
        let Some(first) = words.next() else {
            return Ok((Command::new(&program.path), program));
        };
        let mut command = Command::new(first);
        command.args(words).arg(&program.path);
        Ok((command, program))
    }

    fn launcher(&self) -> Result<Vec<String>, Failure> {
        match env::var(LAUNCHER_VARIABLE) {
            Ok(words) => shlex::split(&words).ok_or_else(|| {
                Failure::infrastructure(format!(
                    "{LAUNCHER_VARIABLE} has a quote that does not end: {words}"
                ))
            }),
            Err(_) => Ok(self.run.suite.launcher_words().to_vec()),
        }
    }

    /// Has the worker leave, if there is one.
    pub(in super::super) fn dismiss_worker(&mut self) {
        if let Some(worker) = self.worker.take() {
            self.end_worker(worker, WorkerProcess::quit);
        }
    }

    /// Ends a worker in the given way and records how it ended.
    fn end_worker(
        &mut self,
        worker: WorkerProcess,
        end: impl FnOnce(WorkerProcess) -> String,
    ) -> String {
        let number = worker.number();
        let how = end(worker);
        self.run.event(What::WorkerEnded { worker: number, how: how.clone() });
        how
    }
}

fn outcome(failure: Option<Failure>) -> Outcome {
    match failure {
        None => Outcome::Passed,
        Some(failure) => match failure.kind() {
            FailureKind::Failed => Outcome::Failed { failure },
            FailureKind::Infrastructure => Outcome::Errored { message: failure.to_string() },
            FailureKind::Skipped => Outcome::Skipped { reason: failure.message().to_owned() },
        },
    }
}

fn cannot_start(error: &io::Error, what: &str) -> Failure {
    Failure::infrastructure(error.to_string())
        .context(format!("cannot start a worker process: {what}"))
}
