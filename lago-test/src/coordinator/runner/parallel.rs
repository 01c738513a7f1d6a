//! Several lanes at the same time, each on a thread of its own: one on the prefix, the others on forks.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::super::lane::{Failures, Lane, Origin};
use super::super::plan::ScenarioId;
use super::super::run::Run;
use super::super::schedule::{Next, Schedule};
use crate::outcome::Outcome;
use crate::result::Failure;

/// The lanes that run.
pub(super) struct Parallel {
    board: Arc<Board>,
    on_prefix: JoinHandle<Option<Lane>>,
    on_forks: Vec<JoinHandle<()>>,
}

/// What the lanes leave when all have ended.
pub(super) struct Ended {
    /// The lane on the prefix, unless it was lost.
    pub(super) lane: Option<Lane>,
    /// The states that are saved on the prefix, as its lane last said.
    pub(super) states: Vec<String>,
    /// What to say about forks that stay.
    pub(super) left: Vec<String>,
    /// The first thing that went wrong with a fork at its end.
    pub(super) trouble: Option<Failure>,
}

/// What the lanes and the one who asks for outcomes see of each other.
struct Board {
    run: Arc<Run>,
    entries: Mutex<Entries>,
    changed: Condvar,
}

struct Entries {
    schedule: Schedule,
    outcomes: HashMap<ScenarioId, Outcome>,
    /// How many lanes have not ended.
    lanes: usize,
    /// What forks start from, as the lane on the prefix last said.
    origin: Origin,
    left: Vec<String>,
    trouble: Option<Failure>,
}

impl Parallel {
    /// Starts one lane on the prefix and up to `jobs - 1` on forks.
    pub(super) fn start(run: &Arc<Run>, lane: Lane, mut schedule: Schedule, jobs: usize) -> Self {
        // Before a fork can take it, and with it all that stands on it.
        let first = schedule.next_on_prefix(None);
        let forks = (jobs - 1).min(run.plan.stages().count() - 1);
        let entries = Entries {
            schedule,
            outcomes: HashMap::new(),
            lanes: 1 + forks,
            origin: lane.origin(),
            left: Vec::new(),
            trouble: None,
        };
        let board = Arc::new(Board {
            run: Arc::clone(run),
            entries: Mutex::new(entries),
            changed: Condvar::new(),
        });
        let mine = Arc::clone(&board);
        let on_prefix = thread::spawn(move || mine.run_on_prefix(lane, first));
        let on_forks = (0..forks).map(|_| {
            let mine = Arc::clone(&board);
            thread::spawn(move || mine.run_on_forks())
        });
        Self { on_forks: on_forks.collect(), board, on_prefix }
    }

    /// Waits until a scenario has ended.
    pub(super) fn outcome(&self, id: ScenarioId) -> Outcome {
        let mut entries = self.board.entries();
        loop {
            if let Some(outcome) = entries.outcomes.get(&id) {
                return outcome.clone();
            }
            if entries.lanes == 0 {
                let message = "the harness lost the lane in which it was to run".to_owned();
                return Outcome::Errored { message };
            }
            entries = self.board.changed.wait(entries).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until all lanes have ended.
    pub(super) fn end(self) -> Ended {
        for fork in self.on_forks {
            // A panic in it has been told of by the panic hook, and its scenarios are errors.
            let _ = fork.join();
        }
        let lane = self.on_prefix.join().ok().flatten();
        let mut entries = self.board.entries();
        Ended {
            lane,
            states: entries.origin.saved_names(),
            left: std::mem::take(&mut entries.left),
            trouble: entries.trouble.take(),
        }
    }
}

impl Board {
    fn run_on_prefix(&self, mut lane: Lane, first: Option<usize>) -> Option<Lane> {
        let ended = catch_unwind(AssertUnwindSafe(|| {
            let mut next = first;
            while let Some(stage) = next {
                self.run_stages(&mut lane, &[stage]);
                next = self.next_on_prefix(stage, &lane);
            }
            lane
        }));
        let mut entries = self.entries();
        entries.schedule.close();
        entries.lanes -= 1;
        self.changed.notify_all();
        ended.ok()
    }

    fn next_on_prefix(&self, done: usize, lane: &Lane) -> Option<usize> {
        let mut entries = self.entries();
        entries.origin = lane.origin();
        let next = entries.schedule.next_on_prefix(Some(done));
        self.changed.notify_all();
        next
    }

    fn run_on_forks(&self) {
        let ended = catch_unwind(AssertUnwindSafe(|| {
            while let Some((stages, origin)) = self.next_on_fork() {
                let mut lane = Lane::fork(Arc::clone(&self.run), origin, stages[0]);
                let _on_fork = lane.span().entered();
                let failures = self.run_stages(&mut lane, &stages);
                let left = lane.leave_fork(failures);
                let mut entries = self.entries();
                match left {
                    Ok(left) => entries.left.extend(left),
                    Err(failure) => drop(entries.trouble.get_or_insert(failure)),
                }
            }
        }));
        // The panic hook has told of a panic; what it leaves is found by the wait for outcomes.
        drop(ended);
        self.entries().lanes -= 1;
        self.changed.notify_all();
    }

    /// The next stages for a fork, and what it starts from.
    fn next_on_fork(&self) -> Option<(Vec<usize>, Origin)> {
        let mut entries = self.entries();
        loop {
            match entries.schedule.next_on_fork() {
                Next::Stages(stages) => return Some((stages, entries.origin.clone())),
                Next::End => return None,
                Next::Wait => {
                    entries = self.changed.wait(entries).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// Runs stages in a lane.
    fn run_stages(&self, lane: &mut Lane, stages: &[usize]) -> Failures {
        let mut failures = Failures::default();
        for step in stages.iter().flat_map(|&stage| self.run.plan.steps_of(stage)) {
            let outcome = lane.execute(step);
            failures.count(&outcome);
            self.entries().outcomes.insert(step.id, outcome);
            self.changed.notify_all();
        }
        failures
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
