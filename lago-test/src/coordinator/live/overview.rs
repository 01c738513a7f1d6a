//! How far a run is and what runs now, kept up to date by its events.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::super::work::Work;
use crate::events::What;
use crate::outcome::Outcome;

/// How far a run is.
#[derive(Debug)]
pub(in super::super) struct Overview {
    progress: Mutex<Progress>,
}

#[derive(Debug)]
struct Progress {
    began: Instant,
    /// How many scenarios there are to end.
    planned: usize,
    ended: usize,
    /// How many ended in another way than by passing, by the words of their outcomes, in the order in which these came up.
    troubles: Vec<(&'static str, usize)>,
    running: Vec<Running>,
    fork_of_worker: HashMap<u32, Option<String>>,
}

#[derive(Debug, Clone)]
struct Running {
    stage: String,
    scenario: String,
    vms: Vec<String>,
    fork: Option<String>,
    since: Instant,
    limit: Option<Duration>,
}

/// What there is to show at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scene {
    pub(super) planned: usize,
    pub(super) ended: usize,
    pub(super) troubles: Vec<(&'static str, usize)>,
    /// What is waited for: scenarios, and work under a limit.
    pub(super) waited_for: Vec<Item>,
    /// What the library does for that.
    pub(super) parts: Vec<Item>,
    pub(super) elapsed: Duration,
}

/// Something that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) name: String,
    /// The VMs that it is about.
    pub(super) vms: Vec<String>,
    pub(super) fork: Option<String>,
    pub(super) elapsed: Duration,
    pub(super) limit: Option<Duration>,
}

impl Overview {
    /// Of a run that begins now, with so many scenarios.
    pub(in super::super) fn new(planned: usize) -> Self {
        let progress = Progress {
            began: Instant::now(),
            planned,
            ended: 0,
            troubles: Vec::new(),
            running: Vec::new(),
            fork_of_worker: HashMap::new(),
        };
        Self { progress: Mutex::new(progress) }
    }

    /// Takes note of what has just happened.
    pub(in super::super) fn observe(&self, what: &What) {
        self.progress().observe(what, Instant::now());
    }

    /// What there is to show now, with the work that is open.
    pub(super) fn scene(&self, works: Vec<Work>, now: Instant) -> Scene {
        let progress = self.progress();
        let (ours, parts): (Vec<_>, Vec<_>) =
            works.into_iter().map(|work| (work.is_ours(), work)).partition(|(is_ours, _)| *is_ours);
        let item = |(_, work): (bool, Work)| Item::of_work(work, now);
        let running = progress.running.iter().map(|running| running.item(now));
        Scene {
            planned: progress.planned,
            ended: progress.ended,
            troubles: progress.troubles.clone(),
            waited_for: running.chain(ours.into_iter().map(item)).collect(),
            parts: parts.into_iter().map(item).collect(),
            elapsed: now.saturating_duration_since(progress.began),
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    fn observe(&mut self, what: &What, now: Instant) {
        match what {
            What::WorkerStarted { worker, fork, .. } => {
                self.fork_of_worker.insert(*worker, fork.clone());
            }
            What::ScenarioStarted { stage, scenario, worker, vms, limit_ms, .. } => {
                self.has_stopped(stage, scenario);
                self.running.push(Running {
                    stage: stage.clone(),
                    scenario: scenario.clone(),
                    vms: vms.clone(),
                    fork: self.fork_of_worker.get(worker).cloned().flatten(),
                    since: now,
                    limit: limit_ms.map(Duration::from_millis),
                });
            }
            What::ScenarioRepeated { stage, scenario, .. }
            | What::ScenarioTried { stage, scenario, .. } => self.has_stopped(stage, scenario),
            What::ScenarioFinished { stage, scenario, outcome, .. } => {
                self.has_stopped(stage, scenario);
                self.ended += 1;
                if !matches!(outcome, Outcome::Passed) {
                    self.count(outcome.word());
                }
            }
            _ => {}
        }
    }

    fn has_stopped(&mut self, stage: &str, scenario: &str) {
        self.running.retain(|running| running.stage != stage || running.scenario != scenario);
    }

    fn count(&mut self, word: &'static str) {
        match self.troubles.iter_mut().find(|(known, _)| *known == word) {
            Some((_, count)) => *count += 1,
            None => self.troubles.push((word, 1)),
        }
    }
}

impl Running {
    fn item(&self, now: Instant) -> Item {
        Item {
            name: format!("{}::{}", self.stage, self.scenario),
            vms: self.vms.clone(),
            fork: self.fork.clone(),
            elapsed: now.saturating_duration_since(self.since),
            limit: self.limit,
        }
    }
}

impl Item {
    fn of_work(work: Work, now: Instant) -> Self {
        let subject = work.subject.map_or_else(String::new, |subject| format!(" {subject}"));
        Self {
            name: format!("{}{subject}", work.name),
            vms: work.vm.into_iter().collect(),
            fork: work.fork,
            elapsed: now.saturating_duration_since(work.since),
            limit: work.limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn started(scenario: &str, worker: u32) -> What {
        What::ScenarioStarted {
            stage: "serve".into(),
            scenario: scenario.into(),
            worker,
            log: PathBuf::new(),
            vms: vec!["client".into()],
            limit_ms: Some(2000),
        }
    }

    fn finished(scenario: &str, outcome: Outcome) -> What {
        What::ScenarioFinished {
            stage: "serve".into(),
            scenario: scenario.into(),
            outcome,
            took_ms: 1,
            output: None,
        }
    }

    #[test]
    fn what_runs_and_what_came_of_the_others() {
        let overview = Overview::new(5);
        overview.observe(&What::WorkerStarted { worker: 2, pid: 7, fork: Some("serve".into()) });
        overview.observe(&started("fetch", 1));
        overview.observe(&started("post", 2));
        overview.observe(&finished("fetch", Outcome::timed_out(Duration::from_secs(2))));
        overview.observe(&finished("later", Outcome::Blocked { by: "serve::fetch".into() }));
        overview.observe(&finished("last", Outcome::Blocked { by: "serve::fetch".into() }));

        let scene = overview.scene(Vec::new(), Instant::now());
        assert_eq!((scene.ended, scene.planned), (3, 5));
        assert_eq!(scene.troubles, [("timed_out", 1), ("blocked", 2)]);
        let [post] = scene.waited_for.as_slice() else { panic!("{scene:?}") };
        assert_eq!((post.name.as_str(), post.fork.as_deref()), ("serve::post", Some("serve")));
        assert_eq!(
            (post.vms.as_slice(), post.limit),
            (&["client".to_owned()][..], Some(Duration::from_secs(2)))
        );
    }

    #[test]
    fn a_scenario_that_runs_again_is_there_once() {
        let overview = Overview::new(1);
        overview.observe(&started("fetch", 1));
        overview.observe(&started("fetch", 1));
        assert_eq!(overview.scene(Vec::new(), Instant::now()).waited_for.len(), 1);
    }
}
