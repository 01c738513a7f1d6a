//! One run of a suite: its session, its worker, and what has failed so far.

mod environment;
mod finish;
mod session;
mod workers;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lago::spec::InitFile;

use super::interrupts::{self, Interrupts};
use super::keep::Keep;
use super::plan::{ScenarioId, Shape, Step};
use super::selection::{full_name, shape};
use super::worker_process::WorkerProcess;
use crate::environment::Environment;
use crate::events::{OutputFile, What};
use crate::files::Files;
use crate::outcome::Outcome;
use crate::output;
use crate::result::Failure;
use crate::states::{NoSnapshots, Saved, StageStates};
use crate::suite::Suite;
pub(super) use finish::{EXIT_INFRASTRUCTURE, Finish};
use session::Session;

/// How much of a failed scenario's output is printed on the terminal.
const CONSOLE_OUTPUT: u64 = 32 << 10;

/// What blocks a scenario when the environment failed.
const ENVIRONMENT: &str = "environment";

/// What a run is told besides its suite.
#[derive(Debug)]
pub(super) struct Settings {
    /// Whether output is printed as it comes.
    pub(super) live: bool,
    /// The suite's init file, if it has one.
    pub(super) init_file: Option<InitFile>,
    /// When the environment stays.
    pub(super) keep: Keep,
}

/// Runs scenarios one after the other. Nothing is started or written before the first one.
pub(super) struct Run {
    suite: Suite,
    shape: Shape,
    steps: Vec<Step>,
    interrupts: Interrupts,
    /// Whether output is printed as it comes.
    live: bool,
    states: Box<dyn StageStates>,
    session: Option<Session>,
    worker: Option<WorkerProcess>,
    workers_started: u32,
    failures: Vec<ScenarioId>,
    /// Stages whose end state is not what it should be.
    spoiled: HashSet<usize>,
    /// Why nothing can run any more.
    broken: Option<Failure>,
    /// When the scenario that is being executed began to run in a worker, if it has.
    ran_since: Option<Instant>,
    /// Until the environment is made from it.
    init_file: Option<InitFile>,
    environment: Option<Environment>,
    keep: Keep,
}

impl Run {
    pub(super) fn new(
        suite: Suite,
        steps: Vec<Step>,
        interrupts: Interrupts,
        settings: Settings,
    ) -> Self {
        Self {
            shape: shape(&suite),
            suite,
            steps,
            interrupts,
            live: settings.live,
            states: Box::new(NoSnapshots),
            session: None,
            worker: None,
            workers_started: 0,
            failures: Vec::new(),
            spoiled: HashSet::new(),
            broken: None,
            ran_since: None,
            init_file: settings.init_file,
            environment: None,
            keep: settings.keep,
        }
    }

    /// Runs one scenario, unless something keeps it from running, and records how it ended.
    pub(super) fn execute(&mut self, step: Step) -> Outcome {
        self.ran_since = None;
        let outcome = self.attempt(step);
        let took = self.ran_since.map(|started| started.elapsed());
        self.remember(step.id, &outcome);
        let (stage, scenario) = self.names(step.id);
        let output = took.and_then(|_| self.output(step.id));
        self.event(What::ScenarioFinished {
            stage,
            scenario,
            outcome: outcome.clone(),
            took_ms: took.map_or(0, millis),
            output,
        });
        if self.is_last_of_stage(step) {
            self.end_stage(step.id.stage);
        }
        outcome
    }

    fn attempt(&mut self, step: Step) -> Outcome {
        if let Some(signal) = self.interrupts.signal() {
            let reason = format!("interrupted by {}", interrupts::name(signal));
            return Outcome::NotRun { reason };
        }
        if self.broken.is_some() {
            return Outcome::Blocked { by: ENVIRONMENT.to_owned() };
        }
        if let Some(blocker) = self.shape.blocker(step.id, &self.failures) {
            return Outcome::Blocked { by: full_name(&self.suite, blocker) };
        }
        if let Err(failure) = self.prepare(step) {
            let message = failure.to_string();
            self.broken = Some(failure);
            return Outcome::Errored { message };
        }
        self.run_in_worker(step.id)
    }

    /// Brings everything into the state that a scenario runs on.
    fn prepare(&mut self, step: Step) -> Result<(), Failure> {
        if self.session.is_none() {
            self.bring_up()?;
        }
        let Some(base) = step.restore else { return Ok(()) };
        let stage = self.suite.stages()[base].name().to_owned();
        self.states.restore(&stage)?;
        self.event(What::StageRestored { stage });
        Ok(())
    }

    fn remember(&mut self, id: ScenarioId, outcome: &Outcome) {
        if outcome.is_failure() {
            self.failures.push(id);
        }
        let blocks = self.shape.stages[id.stage].blocks[id.scenario];
        let unclean = matches!(outcome, Outcome::Blocked { .. } | Outcome::NotRun { .. });
        if unclean || (blocks && outcome.is_failure()) {
            self.spoiled.insert(id.stage);
        }
    }

    fn is_last_of_stage(&self, step: Step) -> bool {
        let last = self.steps.iter().rfind(|other| other.id.stage == step.id.stage);
        last.is_some_and(|last| last.id == step.id)
    }

    /// Keeps the stage's end state, if it is whole.
    fn end_stage(&mut self, stage: usize) {
        let ran = self.steps.iter().filter(|step| step.id.stage == stage).count();
        let name = self.suite.stages()[stage].name().to_owned();
        let not_kept = if self.spoiled.contains(&stage) {
            Some("not all of it has run and passed".to_owned())
        } else if ran < self.suite.stages()[stage].list().len() {
            Some("only a part of it was asked for".to_owned())
        } else {
            match self.states.save(&name) {
                Ok(Saved::Nothing(reason)) => Some(reason),
                Err(failure) => Some(failure.to_string()),
            }
        };
        self.event(What::StageFinished { stage: name, not_kept });
    }

    /// The end of what the scenario has printed, unless it has been shown already.
    pub(super) fn output_end(&self, step: Step) -> Option<String> {
        if self.live || !self.failures.contains(&step.id) {
            return None;
        }
        let log = self.output(step.id)?.path;
        let path = self.files()?.prefix.join(log);
        Some(
            output::excerpt(&path, CONSOLE_OUTPUT)
                .unwrap_or_else(|error| format!("[{} cannot be read: {error}]", path.display())),
        )
    }

    /// The scenario's output, if it has printed any.
    fn output(&self, id: ScenarioId) -> Option<OutputFile> {
        let path = self.log(id);
        let bytes = self.files()?.prefix.join(&path).metadata().ok()?.len();
        (bytes > 0).then_some(OutputFile { path, bytes })
    }

    /// The scenario's log, from the prefix.
    fn log(&self, id: ScenarioId) -> PathBuf {
        let (stage, scenario) = self.names(id);
        Files::scenario_log(&stage, &scenario)
    }

    fn files(&self) -> Option<&Files> {
        self.session.as_ref().map(|session| &session.files)
    }

    fn names(&self, id: ScenarioId) -> (String, String) {
        let stage = &self.suite.stages()[id.stage];
        (stage.name().to_owned(), stage.list()[id.scenario].name().to_owned())
    }

    fn event(&mut self, what: What) {
        if let Some(session) = &mut self.session {
            session.event(what);
        }
    }
}

/// Whole milliseconds, as events have them.
fn millis(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}

/// A path as text, which is how it travels to a worker.
fn text(path: &Path) -> Result<String, Failure> {
    path.to_str().map(ToOwned::to_owned).ok_or_else(|| {
        Failure::infrastructure(format!(
            "the path {} is not UTF-8; give the suite another workdir",
            path.display()
        ))
    })
}
