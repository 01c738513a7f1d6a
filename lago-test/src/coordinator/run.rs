//! What all lanes of a run share: the suite, the plan, the event log, and what has failed so far.

mod session;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::executable::Executable;
use super::interrupts::{self, Interrupts};
use super::live::Overview;
use super::options::Options;
use super::plan::{Plan, ScenarioId, Shape, Step};
use super::selection::{full_name, shape};
use super::show::{Program, Turn};
use super::work::Works;
use crate::events::{OutputFile, RunResult, What};
use crate::files::Files;
use crate::outcome::{Class, Outcome};
use crate::output;
use crate::report::ongoing::Ongoing;
use crate::result::Failure;
use crate::suite::Suite;
pub(super) use session::Claim;
use session::Session;

/// How much of a failed scenario's output is printed on the terminal.
const CONSOLE_OUTPUT: u64 = 32 << 10;

/// What blocks a scenario when the environment failed.
const ENVIRONMENT: &str = "environment";

/// One run of a suite.
pub(super) struct Run {
    pub(super) suite: Suite,
    pub(super) shape: Shape,
    pub(super) plan: Plan,
    pub(super) program: Program,
    pub(super) options: Options,
    /// What workers are started from.
    pub(super) executable: Executable,
    pub(super) interrupts: Interrupts,
    /// What is being worked on; its ends are events.
    pub(super) works: Works,
    overview: Arc<Overview>,
    session: Mutex<Option<Session>>,
    /// Reports of the run so far, once it writes events.
    ongoing: Mutex<Option<Arc<Ongoing>>>,
    progress: Mutex<Progress>,
    workers_started: AtomicU32,
}

/// What has come of the scenarios so far.
#[derive(Debug, Default)]
struct Progress {
    failures: Vec<ScenarioId>,
    /// How long scenarios ran.
    took: HashMap<ScenarioId, Duration>,
    /// Stages whose end state is not what it should be.
    spoiled: HashSet<usize>,
    /// Why nothing can run any more, until a scenario has said so.
    broken: Option<Broken>,
    /// Whether the environment could not be put into a state that a scenario needed.
    stuck: bool,
    /// Why the run ends before all has run, other than by a signal.
    called_off: Option<String>,
}

#[derive(Debug)]
struct Broken {
    failure: Failure,
    told: bool,
}

impl Run {
    pub(super) fn new(
        suite: Suite,
        plan: Plan,
        program: Program,
        options: Options,
        executable: Executable,
        interrupts: Interrupts,
    ) -> Self {
        Self {
            shape: shape(&suite),
            suite,
            plan,
            program,
            options,
            executable,
            interrupts,
            works: Works::default(),
            overview: Arc::new(Overview::new(0)),
            session: Mutex::new(None),
            ongoing: Mutex::new(None),
            progress: Mutex::default(),
            workers_started: AtomicU32::new(0),
        }
    }

    /// The same run, whose work is seen by `works`, and whose progress by `overview`.
    pub(super) fn watched_by(self, works: Works, overview: Arc<Overview>) -> Self {
        Self { works, overview, ..self }
    }

    /// From now on events are written, and reports of the run so far. What is ignored has ended with that.
    pub(super) fn open(self: &Arc<Self>, claim: Claim) -> Result<(), Failure> {
        self.workers_started.store(claim.earlier_workers(), Ordering::Relaxed);
        let session = Session::open(claim, &self.suite, &self.program)?;
        let ongoing = Ongoing::begin(&session.files);
        *self.session() = Some(session);
        *self.ongoing() = Some(Arc::new(ongoing));
        for shown in &self.program.shown {
            if let Turn::Ignored(reason) = &shown.turn {
                self.event(What::ScenarioFinished {
                    stage: shown.stage.clone(),
                    scenario: shown.scenario.clone(),
                    outcome: Outcome::Skipped { reason: reason.clone() },
                    took_ms: 0,
                    output: None,
                });
            }
        }
        let run = Arc::downgrade(self);
        self.works.report_to(move |what| {
            if let Some(run) = run.upgrade() {
                run.event(what);
            }
        });
        Ok(())
    }

    /// Writes the last event.
    pub(super) fn close(&self, what: What) {
        self.works.report_no_more();
        self.event(what);
    }

    /// From now on no more reports are written.
    pub(super) fn end_reports(&self) {
        self.ongoing().take();
    }

    /// Says that nothing can run.
    pub(super) fn break_down(&self, failure: Failure) {
        self.progress().broken = Some(Broken { failure, told: false });
    }

    /// Says that a scenario did not find the state that it needed.
    pub(super) fn stick(&self) {
        self.progress().stuck = true;
    }

    /// Says that nothing more is to run.
    pub(super) fn call_off(&self, reason: &str) {
        self.progress().called_off = Some(reason.to_owned());
    }

    /// The outcome of a scenario that cannot run now.
    pub(super) fn obstacle(&self, id: ScenarioId) -> Option<Outcome> {
        let mut progress = self.progress();
        if let Some(broken) = &mut progress.broken
            && !broken.told
        {
            broken.told = true;
            return Some(Outcome::Errored { message: broken.failure.to_string() });
        }
        let signal = self.interrupts.signal();
        let called_off =
            signal.map(|signal| format!("interrupted by {}", interrupts::name(signal)));
        if let Some(reason) = called_off.or_else(|| progress.called_off.clone()) {
            return Some(Outcome::NotRun { reason });
        }
        if progress.broken.is_some() {
            return Some(Outcome::Blocked { by: ENVIRONMENT.to_owned() });
        }
        // What an earlier run has made stands, whatever became of those scenarios in this one.
        let failures = progress.failures.iter().copied();
        let failures: Vec<_> =
            failures.filter(|failed| self.plan.goes_through(id.stage, failed.stage)).collect();
        let blocker = self.shape.blocker(id, &failures)?;
        Some(Outcome::Blocked { by: full_name(&self.suite, blocker) })
    }

    /// How often a scenario is run at most until it passes.
    pub(super) fn tries(&self, id: ScenarioId) -> u32 {
        let stage = &self.suite.stages()[id.stage];
        self.suite.retries_of(stage, &stage.list()[id.scenario]).saturating_add(1)
    }

    /// What the outcome of a scenario that ran counts for in this run, if it is known to fail.
    pub(super) fn judge(&self, id: ScenarioId, outcome: Outcome) -> Outcome {
        let scenario = &self.suite.stages()[id.stage].list()[id.scenario];
        let Some(reason) = scenario.unstable_reason() else { return outcome };
        // That it was cut short is no failure that is known.
        if !outcome.is_failure() || self.interrupts.signal().is_some() {
            return outcome;
        }
        if self.options.tolerates_unstable {
            Outcome::KnownFailure { reason: reason.to_owned(), failure: outcome.to_string() }
        } else {
            outcome.with_note(&format!("known to be unstable: {reason}"))
        }
    }

    /// Records how a scenario ended. `took` is there when it ran.
    pub(super) fn finished(&self, id: ScenarioId, outcome: &Outcome, took: Option<Duration>) {
        self.remember(id, outcome, took);
        let (stage, scenario) = self.names(id);
        let output = took.and_then(|_| self.output(id));
        let outcome = outcome.clone();
        let took_ms = took.map_or(0, millis);
        self.event(What::ScenarioFinished { stage, scenario, outcome, took_ms, output });
    }

    fn remember(&self, id: ScenarioId, outcome: &Outcome, took: Option<Duration>) {
        let mut progress = self.progress();
        progress.took.extend(took.map(|took| (id, took)));
        if outcome.is_failure() {
            progress.failures.push(id);
            if self.options.fail_fast && outcome.class() != Class::Tolerated {
                let failed = full_name(&self.suite, id);
                let reason = format!("--fail-fast, and {failed} failed");
                progress.called_off.get_or_insert(reason);
            }
        }
        // One that was cut short may have done a half of anything.
        let blocks =
            self.shape.stages[id.stage].blocks[id.scenario] || self.interrupts.signal().is_some();
        let unclean = matches!(outcome, Outcome::Blocked { .. } | Outcome::NotRun { .. });
        if unclean || (blocks && outcome.is_failure()) {
            progress.spoiled.insert(id.stage);
        }
    }

    /// Whether not all of a stage has run and passed.
    pub(super) fn is_spoiled(&self, stage: usize) -> bool {
        self.progress().spoiled.contains(&stage)
    }

    /// How the run went. `failed` says whether a scenario did.
    pub(super) fn result(&self, failed: bool) -> RunResult {
        let progress = self.progress();
        if self.interrupts.signal().is_some() {
            RunResult::Interrupted
        } else if progress.broken.is_some() || progress.stuck {
            RunResult::Infrastructure
        } else if failed {
            RunResult::Failed
        } else {
            RunResult::Passed
        }
    }

    /// How long a scenario ran, if it did.
    pub(super) fn took(&self, id: ScenarioId) -> Option<Duration> {
        self.progress().took.get(&id).copied()
    }

    /// The end of what a scenario has printed, if that is shown and has not been already.
    pub(super) fn output_end(&self, step: Step) -> Option<String> {
        let is_wanted = || self.options.show_output || self.progress().failures.contains(&step.id);
        if self.options.live.is_some() || !is_wanted() {
            return None;
        }
        let path = self.files()?.prefix.join(self.output(step.id)?.path);
        Some(
            output::excerpt(&path, CONSOLE_OUTPUT)
                .unwrap_or_else(|error| format!("[{} cannot be read: {error}]", path.display())),
        )
    }

    /// A scenario's output, if it has printed any.
    fn output(&self, id: ScenarioId) -> Option<OutputFile> {
        let bytes = self.output_bytes(id);
        (bytes > 0).then(|| OutputFile { path: self.log(id), bytes })
    }

    /// How much a scenario has printed so far.
    pub(super) fn output_bytes(&self, id: ScenarioId) -> u64 {
        let log = self.files().map(|files| files.prefix.join(self.log(id)));
        log.and_then(|log| log.metadata().ok()).map_or(0, |log| log.len())
    }

    /// A scenario's log, from the prefix.
    pub(super) fn log(&self, id: ScenarioId) -> PathBuf {
        let (stage, scenario) = self.names(id);
        self.files().map(|files| files.scenario_log(&stage, &scenario)).unwrap_or_default()
    }

    /// Where files go, once the run has begun.
    pub(super) fn files(&self) -> Option<Files> {
        self.session().as_ref().map(|session| session.files.clone())
    }

    /// The first event that could not be written.
    pub(super) fn lost_event(&self) -> Option<String> {
        self.session().as_ref().and_then(|session| session.lost().map(ToOwned::to_owned))
    }

    /// A scenario's stage and its own name.
    pub(super) fn names(&self, id: ScenarioId) -> (String, String) {
        let stage = &self.suite.stages()[id.stage];
        (stage.name().to_owned(), stage.list()[id.scenario].name().to_owned())
    }

    /// The VMs that a scenario names as parameters.
    pub(super) fn vms(&self, id: ScenarioId) -> Vec<String> {
        let scenario = &self.suite.stages()[id.stage].list()[id.scenario];
        scenario.needs().vms().map(ToOwned::to_owned).collect()
    }

    /// The number of a new worker.
    pub(super) fn next_worker(&self) -> u32 {
        self.workers_started.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn event(&self, what: What) {
        let is_an_end = matches!(what, What::ScenarioFinished { .. });
        let is_shown = matches!(what, What::ScenarioStarted { .. } | What::ScenarioTried { .. });
        self.overview.observe(&what);
        if let Some(session) = self.session().as_mut() {
            session.event(what);
        }
        let ongoing = self.ongoing().clone();
        match ongoing {
            Some(ongoing) if is_an_end => ongoing.refresh(),
            Some(ongoing) if is_shown => ongoing.is_outdated(),
            _ => {}
        }
    }

    fn ongoing(&self) -> MutexGuard<'_, Option<Arc<Ongoing>>> {
        self.ongoing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn session(&self) -> MutexGuard<'_, Option<Session>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whole milliseconds, as events have them.
pub(super) fn millis(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}

/// A path as text, which is how it travels to a worker.
pub(super) fn text(path: &Path) -> Result<String, Failure> {
    path.to_str().map(ToOwned::to_owned).ok_or_else(|| {
        Failure::infrastructure(format!(
            "the path {} is not UTF-8; give the suite another workdir",
            path.display()
        ))
    })
}
