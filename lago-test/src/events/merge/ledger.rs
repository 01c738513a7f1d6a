//! What several processes have done with each scenario, and which of them counts.

use std::collections::HashMap;

use super::super::{Event, Planned, RunResult, What};
use crate::outcome::Outcome;

/// What a shell says of a process that was killed.
const EXIT_KILLED: u8 = 128 + 9;

/// What the parts of a run have in common.
#[derive(Default)]
pub(super) struct Ledger {
    /// All that was planned, in the order in which it was.
    pub(super) planned: Vec<Planned>,
    /// How the run as a whole ended: as the part that ended worst.
    pub(super) worst: Option<(RunResult, u8)>,
    cases: HashMap<(String, String), Case>,
}

/// A scenario.
#[derive(Default)]
pub(super) struct Case {
    /// Its place among what was planned.
    place: usize,
    turns: Vec<Turn>,
    /// The part that counts.
    pub(super) counts: Option<usize>,
    /// How it failed at first, if it passed in the part that counts.
    pub(super) first_failure: Option<String>,
    /// The parts in which it was tried, the one that counts last, if it failed before that.
    tries: Vec<usize>,
}

/// A part in which a scenario was to run.
struct Turn {
    part: usize,
    is_selected: bool,
    outcome: Option<Outcome>,
}

impl Ledger {
    pub(super) fn of(events: &[Event]) -> Self {
        let mut ledger = Self::default();
        let mut part = 0;
        let mut is_open = false;
        for event in events {
            match &event.what {
                What::RunStarted { planned, .. } => {
                    if is_open {
                        ledger.take_note(RunResult::Interrupted, EXIT_KILLED);
                    }
                    part += 1;
                    is_open = true;
                    for planned in planned {
                        ledger.plan(part, planned);
                    }
                }
                What::ScenarioFinished { stage, scenario, outcome, .. } => {
                    let case = ledger.cases.get_mut(&(stage.clone(), scenario.clone()));
                    let turn = case.and_then(|case| case.turns.last_mut());
                    if let Some(turn) = turn.filter(|turn| turn.part == part) {
                        turn.outcome = Some(outcome.clone());
                    }
                }
                What::RunFinished { result, exit_code } => {
                    is_open = false;
                    ledger.take_note(*result, *exit_code);
                }
                _ => {}
            }
        }
        ledger.cases.values_mut().for_each(Case::decide);
        ledger
    }

    /// What is known of a scenario.
    pub(super) fn case(&self, (stage, scenario): (&str, &str)) -> Option<&Case> {
        self.cases.get(&(stage.to_owned(), scenario.to_owned()))
    }

    fn plan(&mut self, part: usize, planned: &Planned) {
        let name = (planned.stage.clone(), planned.scenario.clone());
        let case = self.cases.entry(name).or_insert_with(|| {
            self.planned.push(planned.clone());
            Case { place: self.planned.len() - 1, ..Case::default() }
        });
        self.planned[case.place].prerequisite &= planned.prerequisite;
        case.turns.push(Turn { part, is_selected: !planned.prerequisite, outcome: None });
    }

    /// Takes note of how a part ended.
    fn take_note(&mut self, result: RunResult, exit_code: u8) {
        if self.worst.is_none_or(|(worst, _)| rank(result) > rank(worst)) {
            self.worst = Some((result, exit_code));
        }
    }
}

impl Case {
    /// Finds the part that counts: the last one in which it was selected, also when that was killed; or else the last one
    /// in which it ended. One in which it did not run takes no failure back.
    fn decide(&mut self) {
        let last = |is_it: fn(&Turn) -> bool| self.turns.iter().rposition(is_it);
        let failed =
            last(|turn| turn.is_selected && turn.outcome.as_ref().is_some_and(Outcome::is_failure));
        let ran = last(|turn| turn.is_selected && !turn.did_not_run());
        let counting = failed
            .and(ran)
            .or_else(|| last(|turn| turn.is_selected))
            .or_else(|| last(|turn| turn.outcome.is_some()))
            .or_else(|| last(|_| true));
        let Some(counting) = counting else { return };
        let turn = &self.turns[counting];
        self.counts = Some(turn.part);
        if !turn.is_selected || turn.outcome != Some(Outcome::Passed) {
            return;
        }
        let before = self.turns[..counting].iter().filter(|turn| turn.is_selected);
        let failed = before.filter_map(|turn| {
            let outcome = turn.outcome.as_ref().filter(|outcome| outcome.is_failure())?;
            Some((turn.part, outcome.to_string()))
        });
        let failed: Vec<_> = failed.collect();
        self.first_failure = failed.first().map(|(_, failure)| failure.clone());
        if !failed.is_empty() {
            self.tries = failed.into_iter().map(|(part, _)| part).chain([turn.part]).collect();
        }
    }

    /// Which try a part was, from 1, if it was one.
    pub(super) fn attempt(&self, part: usize) -> Option<u32> {
        let place = self.tries.iter().position(|&tried| tried == part)?;
        Some(number(place + 1))
    }

    /// How many tries there were.
    pub(super) fn tries(&self) -> u32 {
        number(self.tries.len())
    }
}

impl Turn {
    fn did_not_run(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Blocked { .. } | Outcome::NotRun { .. }))
    }
}

/// The scenario that an event is about.
pub(super) fn scenario_of(what: &What) -> Option<(&str, &str)> {
    match what {
        What::ScenarioStarted { stage, scenario, .. }
        | What::ConsoleOutput { stage, scenario, .. }
        | What::EvidenceCollected { stage, scenario, .. }
        | What::CapsuleSaved { stage, scenario, .. }
        | What::CapsuleNotSaved { stage, scenario, .. }
        | What::ShellClosed { stage, scenario, .. }
        | What::ScenarioRepeated { stage, scenario, .. }
        | What::ScenarioTried { stage, scenario, .. }
        | What::ScenarioFinished { stage, scenario, .. } => Some((stage, scenario)),
        _ => None,
    }
}

fn number(number: usize) -> u32 {
    number.try_into().unwrap_or(u32::MAX)
}

fn rank(result: RunResult) -> u8 {
    match result {
        RunResult::Passed => 0,
        RunResult::Failed => 1,
        RunResult::Infrastructure => 2,
        RunResult::Interrupted => 3,
    }
}
