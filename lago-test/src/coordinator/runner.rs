//! Brings the environment up, has lanes run the scenarios, and takes everything down.

mod environment;
mod finish;
mod parallel;

use std::sync::Arc;

use lago::spec::InitFile;

use super::earlier::Earlier;
use super::lane::Lane;
use super::plan::Step;
use super::run::{Claim, Run};
use super::schedule::Schedule;
use super::show::Ended;
use crate::environment::Environment;
use crate::outcome::Outcome;
use crate::result::Failure;
pub(super) use finish::{EXIT_INFRASTRUCTURE, Finish};
use parallel::Parallel;

/// Runs scenarios as they are asked for. Nothing is started before the first one.
pub(super) struct Runner {
    run: Arc<Run>,
    /// What the environment is brought up from, until it is.
    prepared: Option<Prepared>,
    lanes: Lanes,
    /// What has to be put away at the end.
    environment: Option<Environment>,
    /// The states that are saved, as far as no lane says which.
    states: Vec<String>,
    /// What to say at the end about forks.
    left: Vec<String>,
    /// What went wrong with forks at their end.
    trouble: Option<Failure>,
}

/// What a run starts from.
pub(super) struct Prepared {
    /// The prefix's directory, taken for this run, or why it could not be.
    pub(super) claim: Result<Claim, Failure>,
    pub(super) earlier: Option<Earlier>,
    pub(super) init_file: Option<InitFile>,
}

/// Where scenarios run.
enum Lanes {
    None,
    /// On the prefix: each runs when it is asked for.
    One(Box<Lane>),
    /// On the prefix and on forks: they run ahead of being asked for.
    Several(Parallel),
}

impl Runner {
    pub(super) fn new(run: Run, prepared: Prepared) -> Self {
        Self {
            run: Arc::new(run),
            prepared: Some(prepared),
            lanes: Lanes::None,
            environment: None,
            states: Vec::new(),
            left: Vec::new(),
            trouble: None,
        }
    }

    /// Runs a scenario, or waits until it has run, and gives how it ended.
    pub(super) fn run_scenario(&mut self, step: Step) -> Ended {
        let outcome = self.outcome(step);
        Ended { outcome, took: self.run.took(step.id), output: self.run.output_end(step) }
    }

    fn outcome(&mut self, step: Step) -> Outcome {
        if let Some(prepared) = self.prepared.take() {
            self.begin(prepared);
        }
        match &mut self.lanes {
            Lanes::One(lane) => lane.execute(step),
            Lanes::Several(parallel) => parallel.outcome(step.id),
            Lanes::None => {
                let reason = "the run has no environment".to_owned();
                let outcome = self.run.obstacle(step.id).unwrap_or(Outcome::NotRun { reason });
                self.run.finished(step.id, &outcome, None);
                outcome
            }
        }
    }

    fn begin(&mut self, prepared: Prepared) {
        let lane = match self.bring_up(prepared) {
            Ok(lane) => lane,
            Err(failure) => return self.run.break_down(failure),
        };
        let jobs = self.run.options.jobs;
        let schedule = Schedule::new(&self.run.plan, self.run.shape.stages.len());
        self.lanes = if jobs > 1 && schedule.is_parallel() {
            Lanes::Several(Parallel::start(&self.run, lane, schedule, jobs))
        } else {
            Lanes::One(Box::new(lane))
        };
    }
}
