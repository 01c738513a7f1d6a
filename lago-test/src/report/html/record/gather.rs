//! From events to a record.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use super::{
    Attempt, Capsule, Console, Environment, Evidence, Fate, Record, Scenario, Stage, Start, Why,
};
use crate::events::{Event, Planned, What};
use crate::files::Files;
use crate::outcome::Outcome;

/// A run as its events tell it.
///
/// # Errors
/// When they do not begin as those of a run do.
pub(in super::super) fn gather(events: &[Event]) -> io::Result<Record> {
    let Some(Event {
        at,
        what: What::RunStarted { suite, version, arguments, machine, planned, .. },
    }) = events.first()
    else {
        return Err(io::Error::other("the events do not begin with `run_started`"));
    };
    let record = Record {
        suite: suite.clone(),
        version: version.clone(),
        arguments: arguments.clone(),
        machine: machine.clone(),
        started: *at,
        ended: events.last().map_or(*at, |event| event.at),
        result: None,
        interrupted: None,
        environment: Environment::default(),
        stages: stages(planned),
    };
    let mut gatherer = Gatherer::new(record);
    for event in events {
        gatherer.take(event);
    }
    Ok(gatherer.finish())
}

/// The stages of a plan, with scenarios of which nothing is known yet.
fn stages(planned: &[Planned]) -> Vec<Stage> {
    let mut stages: Vec<Stage> = Vec::new();
    for Planned { stage, scenario, prerequisite } in planned {
        if stages.last().is_none_or(|last| last.name != *stage) {
            stages.push(Stage { name: stage.clone(), scenarios: Vec::new() });
        }
        let scenario = Scenario {
            stage: stage.clone(),
            name: scenario.clone(),
            prerequisite: *prerequisite,
            fate: Fate::NotReached,
            took_ms: 0,
            start: None,
            output: None,
            attempts: Vec::new(),
            consoles: Vec::new(),
            evidence: Vec::new(),
            capsule: None,
            blocks: Vec::new(),
        };
        if let Some(last) = stages.last_mut() {
            last.scenarios.push(scenario);
        }
    }
    stages
}

struct Gatherer {
    record: Record,
    /// Where scenarios are in the record, by stage and name.
    places: HashMap<(String, String), (usize, usize)>,
    fork_of_worker: HashMap<u32, Option<String>>,
    /// Up to where in the logs of consoles the events tell which scenario ran, by fork and VM.
    heard: HashMap<(Option<String>, String), u64>,
}

impl Gatherer {
    fn new(record: Record) -> Self {
        let stages = record.stages.iter().enumerate();
        let places = stages.flat_map(|(number, stage)| {
            stage.scenarios.iter().enumerate().map(move |(place, scenario)| {
                ((stage.name.clone(), scenario.name.clone()), (number, place))
            })
        });
        Self {
            places: places.collect(),
            record,
            fork_of_worker: HashMap::new(),
            heard: HashMap::new(),
        }
    }

    fn take(&mut self, event: &Event) {
        match &event.what {
            What::WorkerStarted { worker, fork, .. } => {
                self.fork_of_worker.insert(*worker, fork.clone());
            }
            What::Interrupted { signal } => self.record.interrupted = Some(signal.clone()),
            What::RunFinished { result, exit_code } => {
                self.record.result = Some((*result, *exit_code));
            }
            what => {
                self.take_of_scenario(event, what);
                self.record.environment.take(what);
            }
        }
    }

    fn take_of_scenario(&mut self, event: &Event, what: &What) {
        match what {
            What::ScenarioStarted { stage, scenario, worker, log, vms, limit_ms } => {
                let fork = self.fork_of_worker.get(worker).cloned().flatten();
                let start = Start {
                    at: event.at,
                    worker: *worker,
                    fork,
                    limit_ms: *limit_ms,
                    vms: vms.clone(),
                };
                self.with(stage, scenario, |scenario| {
                    scenario.fate = Fate::CutShort;
                    scenario.output = Some(log.clone());
                    scenario.start = Some(start);
                });
            }
            What::ScenarioRepeated { stage, scenario, repetition, of, outcome, took_ms } => {
                let attempt = Attempt {
                    why: Why::Repeated,
                    number: *repetition,
                    of: *of,
                    outcome: outcome.clone(),
                    took_ms: *took_ms,
                    output: None,
                };
                self.with(stage, scenario, |scenario| scenario.attempts.push(attempt));
            }
            What::ScenarioTried { stage, scenario, attempt, of, outcome, took_ms, output } => {
                let attempt = Attempt {
                    why: Why::Tried,
                    number: *attempt,
                    of: *of,
                    outcome: outcome.clone(),
                    took_ms: *took_ms,
                    output: output.clone(),
                };
                self.with(stage, scenario, |scenario| scenario.attempts.push(attempt));
            }
            What::ScenarioFinished { stage, scenario, outcome, took_ms, output } => {
                self.with(stage, scenario, |scenario| {
                    scenario.fate = Fate::Ended(outcome.clone());
                    scenario.took_ms = *took_ms;
                    scenario.output = output.as_ref().map(|output| output.path.clone());
                });
            }
            What::EvidenceCollected { stage, scenario, took_ms, files, problems } => {
                let (took_ms, files, problems) = (*took_ms, files.clone(), problems.clone());
                let evidence = Evidence { took_ms, files, problems };
                self.with(stage, scenario, |scenario| scenario.evidence.push(evidence));
            }
            What::CapsuleSaved { stage, scenario, path, bytes, .. } => {
                let capsule = Capsule { path: path.clone(), bytes: *bytes };
                self.with(stage, scenario, |scenario| scenario.capsule = Some(capsule));
            }
            What::ConsoleOutput { stage, scenario, vm, log, from, to, fork } => {
                let logs = logs(fork.as_deref(), log);
                self.heard.insert((fork.clone(), vm.clone()), *to);
                let console = Console { vm: vm.clone(), logs, from: *from, to: Some(*to) };
                self.with(stage, scenario, |scenario| scenario.consoles.push(console));
            }
            _ => {}
        }
    }

    fn with(&mut self, stage: &str, scenario: &str, change: impl FnOnce(&mut Scenario)) {
        let place = self.places.get(&(stage.to_owned(), scenario.to_owned()));
        if let Some(&(stage, scenario)) = place {
            change(&mut self.record.stages[stage].scenarios[scenario]);
        }
    }

    /// What the consoles said during scenarios that have no end: all that no earlier scenario has heard.
    fn listen_to_the_end(&mut self) {
        let facts = self.record.environment.facts.as_ref();
        let vms: Vec<String> =
            facts.iter().flat_map(|facts| &facts.vms).map(|vm| vm.name.clone()).collect();
        let stages = &mut self.record.stages;
        let scenarios = stages.iter_mut().flat_map(|stage| &mut stage.scenarios);
        for scenario in scenarios.filter(|scenario| matches!(scenario.fate, Fate::CutShort)) {
            let fork = scenario.start.as_ref().and_then(|start| start.fork.clone());
            for vm in &vms {
                let from = self.heard.get(&(fork.clone(), vm.clone())).copied().unwrap_or(0);
                let (vm, logs) = (vm.clone(), logs(fork.as_deref(), &console_log(vm)));
                scenario.consoles.push(Console { vm, logs, from, to: None });
            }
        }
    }

    fn finish(mut self) -> Record {
        self.listen_to_the_end();
        let blocked: Vec<(String, String)> = self
            .record
            .scenarios()
            .filter_map(|scenario| match &scenario.fate {
                Fate::Ended(Outcome::Blocked { by }) => Some((by.clone(), scenario.full_name())),
                _ => None,
            })
            .collect();
        for (by, name) in blocked {
            if let Some((stage, scenario)) = by.split_once("::") {
                self.with(stage, scenario, |scenario| scenario.blocks.push(name));
            }
        }
        self.record
    }
}

impl Environment {
    fn take(&mut self, what: &What) {
        match what {
            What::EnvironmentFacts(facts) => self.facts = Some(facts.clone()),
            What::EnvironmentUp { took_ms, from_cache } => self.up = Some((*took_ms, *from_cache)),
            What::EnvironmentFailed { reason } => self.failed = Some(reason.clone()),
            What::EnvironmentReused { states } => self.reused = Some(states.clone()),
            What::StateSaved { state, took_ms, .. } => {
                self.states.push((state.clone(), Ok(*took_ms)));
            }
            What::StateNotSaved { state, reason } => {
                self.states.push((state.clone(), Err(reason.clone())));
            }
            What::StageFinished { stage, saving_ms: Some(took_ms), .. } => {
                self.states.push((stage.clone(), Ok(*took_ms)));
            }
            What::StageFinished { stage, not_kept: Some(reason), .. } => {
                self.states.push((stage.clone(), Err(reason.clone())));
            }
            What::EnvironmentDiscarded => self.end = Some("it was removed".to_owned()),
            What::EnvironmentStopped { states } => {
                let states = states.join(", ");
                self.end = Some(format!("it was stopped; the states {states} stay on disk"));
            }
            What::EnvironmentKept { reason } => {
                self.end = Some(format!("it goes on running ({reason})"));
            }
            What::EnvironmentLeft { reason } => {
                self.end = Some(format!("it could not be taken down: {reason}"));
            }
            _ => {}
        }
    }
}

/// Where a log of an environment may be, from the prefix.
fn logs(fork: Option<&str>, log: &Path) -> Vec<PathBuf> {
    match fork {
        None => vec![log.to_owned()],
        Some(fork) => Files::log_of_fork(fork, log).to_vec(),
    }
}

/// Where the log of a VM's console is, from its environment.
fn console_log(vm: &str) -> PathBuf {
    lago::paths::Paths::new("").console_log(vm)
}
