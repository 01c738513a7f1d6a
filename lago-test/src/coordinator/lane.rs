//! A lane: one environment, the worker in it, and where it stands. Scenarios run in a lane one after the other.

mod aftermath;
mod anchor;
mod budget;
mod capsule;
mod casualties;
mod consoles;
mod fork;
mod repeat;
mod retry;
mod shell;
mod states;
mod workers;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::plan::{Role, ScenarioId, State, Step};
use super::run::Run;
use super::saved::Saved;
use super::selection::full_name;
use super::worker_process::WorkerProcess;
use crate::beside::{self, Beside};
use crate::console_watch::{ConsolePosition, ConsoleWatch, Finding};
use crate::environment::Environment;
use crate::events::What;
use crate::outcome::Outcome;
use crate::result::Failure;
use crate::tell::tell;
use budget::Budget;
use fork::Fork;
pub(super) use fork::{Failures, Origin};

/// One environment and the worker in it.
///
/// What its fields are in the course of its life:
///
/// | | before its fork is made | between stages | in a stage | while a scenario runs | after a failure that blocks | the environment could not be put back |
/// |---|---|---|---|---|---|---|
/// | `environment` | none | there | there | there | there | there, in any condition |
/// | `at` | none | the state at the end of the stage if all of it has passed; else none | the state from which the stage starts, until its first scenario; none after that, but for an [`anchor`] | none | none | none |
/// | `within` | none | none | the stage | the stage | the stage | none |
/// | `worker` | none | there or none | there or none | there, and not in this field | there, unless it died or hung | none |
/// | `beside` | none | goes on, once a scenario was due | goes on | goes on | goes on | goes on |
/// | `trouble` | none | what the consoles said since `last` | none; what fails the scenario that is about to begin, from [`Lane::prepare`] on | none | none | as it was |
/// | `made_of` | empty | what ran on the way | what ran so far | without that one | with it | as it was |
/// | `touched` | no | whether there was a shell since the environment was last put back | the same | the same | the same | the same |
///
/// Without an environment of the suite's, `environment`, `consoles` and `trouble` are always none, and the rest holds all the
/// same: states are no more than names then. `stage_began` and `scenario_consoles` are those of the stage and of the
/// scenario that began last, also when it has ended.
pub(super) struct Lane {
    run: Arc<Run>,
    /// The fork that it is, unless it is the prefix itself.
    fork: Option<Fork>,
    /// None when the suite has none, or the fork has not been made yet.
    environment: Option<Environment>,
    saved: Saved,
    worker: Option<WorkerProcess>,
    /// What the suite has going on in the environment, once it is there.
    beside: Option<Vec<beside::Running>>,
    /// The state that the environment is in, when it is exactly in one.
    at: Option<State>,
    /// The stage that has begun here and not ended.
    within: Option<usize>,
    /// The scenarios whose work is in the environment, as `stage::scenario`.
    made_of: Vec<String>,
    /// The consoles of the environment's VMs.
    consoles: Option<ConsoleWatch>,
    /// What a console has said between two scenarios that the next one cannot run on.
    trouble: Option<Finding>,
    /// Whether somebody was in the environment, in a shell, since it was last put back.
    touched: bool,
    /// The scenario that ran here last.
    last: Option<ScenarioId>,
    /// Where the consoles were when it began.
    scenario_consoles: Vec<ConsolePosition>,
    /// When the stage began that is going on.
    stage_began: Option<Instant>,
    /// The scenarios of which there is a capsule of this run.
    packed: HashSet<ScenarioId>,
    /// Of which failures there is evidence.
    budget: Budget,
}

impl Lane {
    /// The lane on the prefix itself, in the state right after bring-up. `saved` is for where states are written down.
    pub(super) fn new(run: Arc<Run>, environment: Option<Environment>, saved: Saved) -> Self {
        Self {
            consoles: consoles::watch(&run.suite, environment.as_ref()),
            run,
            fork: None,
            environment,
            saved,
            worker: None,
            beside: None,
            at: Some(State::Start),
            within: None,
            made_of: Vec::new(),
            trouble: None,
            touched: false,
            last: None,
            scenario_consoles: Vec::new(),
            stage_began: None,
            packed: HashSet::new(),
            budget: Budget::default(),
        }
    }

    /// The lane on a prefix that an earlier run left: in no state that is known.
    pub(super) fn reopened(run: Arc<Run>, environment: Environment, saved: Saved) -> Self {
        Self { at: None, ..Self::new(run, Some(environment), saved) }
    }

    /// What forks of this lane's states need.
    pub(super) fn origin(&self) -> Origin {
        Origin { environment: self.environment.clone(), saved: self.saved.clone() }
    }

    /// The names of the states that are saved here.
    pub(super) fn saved_names(&self) -> Vec<String> {
        self.saved.names_there()
    }

    /// Runs one scenario, unless something keeps it from running, and records how it ended.
    pub(super) fn execute(&mut self, step: Step) -> Outcome {
        let (outcome, took) = self.attempt(step);
        let outcome = if took.is_some() { self.run.judge(step.id, outcome) } else { outcome };
        self.run.finished(step.id, &outcome, took);
        let stage = step.id.stage;
        if self.run.plan.steps_of(stage).next_back().is_some_and(|last| last.id == step.id) {
            self.end_stage(stage);
        }
        outcome
    }

    fn attempt(&mut self, step: Step) -> (Outcome, Option<Duration>) {
        if let Some(outcome) = self.run.obstacle(step.id) {
            return (outcome, None);
        }
        if let Err(failure) = self.prepare(step) {
            self.run.stick();
            let message = failure.without_location().to_string();
            return (Outcome::Errored { message }, None);
        }
        let tries = self.run.tries(step.id);
        if step.role == Role::Selected && self.run.options.repeat > 1 {
            self.repeat(step.id)
        } else if tries > 1 {
            self.try_up_to(tries, step.id)
        } else {
            self.run_once(step.id)
        }
    }

    /// Brings the environment into the state that a scenario runs on.
    fn prepare(&mut self, step: Step) -> Result<(), Failure> {
        let stage = step.id.stage;
        self.make_fork()?;
        if self.within != Some(stage) {
            if self.last.is_some_and(|last| last.stage == stage) {
                // From the stage's start, it would run without what those before it have done.
                return Err(Failure::infrastructure(
                    "the state in which it was to run is lost: the environment could not be put back for another try \
                     of the one before it",
                ));
            }
            let start = self.run.plan.start(stage).unwrap_or(State::Start);
            self.go_to(start)?;
            self.within = Some(stage);
            self.stage_began = Some(Instant::now());
        }
        self.begin_beside()?;
        self.look_at_consoles(Some(step.id));
        if self.comes_after_prerequisites(step) {
            self.save_for_later(State::Before(step.id));
        }
        Ok(())
    }

    /// Starts what is to go on beside the scenarios, unless it does.
    fn begin_beside(&mut self) -> Result<(), Failure> {
        let (None, Some(environment)) = (&self.beside, &self.environment) else { return Ok(()) };
        let all = self.run.suite.what_goes_on_beside().iter();
        let started = all.map(|beside: &Beside| beside.start(environment.prefix()));
        self.beside = Some(started.collect::<Result<_, _>>()?);
        Ok(())
    }

    /// Leaves the environment as it is: without its worker, and with nothing else that is going on in it.
    pub(super) fn leave(&mut self) {
        self.dismiss_worker();
        self.beside = None;
    }

    /// Whether the next run of this scenario alone would have to run others of its stage again.
    fn comes_after_prerequisites(&self, step: Step) -> bool {
        let before = self.run.plan.steps_of(step.id.stage).take_while(|other| other.id != step.id);
        step.role == Role::Selected
            && before.last().is_some_and(|before| before.role == Role::Prerequisite)
    }

    fn run_once(&mut self, id: ScenarioId) -> (Outcome, Option<Duration>) {
        self.at = None;
        self.scenario_consoles =
            self.consoles.as_ref().map(ConsoleWatch::positions).unwrap_or_default();
        let (outcome, took) = match self.outcome_of_trouble() {
            Some(outcome) => (outcome, None),
            None => self.run_in_worker(id),
        };
        let outcome = self.with_casualties(outcome);
        self.last = Some(id);
        if took.is_some() {
            self.made_of.push(full_name(&self.run.suite, id));
        }
        if outcome.is_failure() {
            self.aftermath(id, &outcome);
            self.skip_consoles();
        }
        (outcome, took)
    }

    fn end_stage(&mut self, stage: usize) {
        let whole = self.run.plan.ends(stage) && !self.run.is_spoiled(stage);
        if self.within.take_if(|within| *within == stage).is_some() {
            self.at = whole.then_some(State::After(stage));
            self.look_at_consoles(None);
            if let Some(trouble) = &self.trouble {
                tell(format_args!("\nafter the last scenario of its stage: {trouble}"));
            }
        }
        let saving = self.save_end(stage);
        let (not_kept, saving_ms) = match saving {
            Ok(took) => (None, Some(super::run::millis(took))),
            Err(reason) => (Some(reason), None),
        };
        let stage = self.run.suite.stages()[stage].name().to_owned();
        self.run.event(What::StageFinished { stage, not_kept, saving_ms });
    }
}
