//! The events of several processes, which each ran a part of one run, as those of one run.
//!
//! Under `cargo nextest` with `LAGO_NEXTEST=scenario` each scenario has a process of its own, and what several of them
//! stand on may have run in each. All append to one file.

mod ledger;

use super::{Event, OutputFile, OutputPart, What};
use crate::outcome::Outcome;
use ledger::{Case, Ledger, scenario_of};

/// What processes of the same run have done before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EarlierParts {
    /// How many there were.
    pub(crate) number: u32,
    /// The highest number of a worker.
    pub(crate) workers: u32,
}

impl EarlierParts {
    /// None when these are the events of another run.
    pub(super) fn of(events: &[Event], part_of: &str) -> Option<Self> {
        let mut parts = Self { number: 0, workers: 0 };
        for event in events {
            match &event.what {
                What::RunStarted { part_of: run, .. } if run.as_deref() == Some(part_of) => {
                    parts.number += 1;
                }
                What::RunStarted { .. } => return None,
                What::WorkerStarted { worker, .. } => parts.workers = parts.workers.max(*worker),
                _ => {}
            }
        }
        (parts.number > 0).then_some(parts)
    }
}

/// What the last process of a file did.
pub(super) fn last_part(mut events: Vec<Event>) -> Vec<Event> {
    let start = events.iter().rposition(is_start).unwrap_or(0);
    events.split_off(start)
}

/// As if one process had run everything: one first event that names all that was planned, for each scenario the events of
/// one process, and one last event.
///
/// What counts is the last process in which a scenario was selected, whatever became of it where others stand on it. When
/// nextest tried it several times, the processes in which it failed are tries.
pub(super) fn merged(events: Vec<Event>) -> Vec<Event> {
    if events.iter().filter(|event| is_start(event)).count() < 2 {
        return events;
    }
    let ledger = Ledger::of(&events);
    let last = events.len() - 1;
    let mut part = 0;
    let mut merged = Vec::with_capacity(events.len());
    for (number, mut event) in events.into_iter().enumerate() {
        part += usize::from(is_start(&event));
        match &mut event.what {
            What::RunStarted { planned, .. } => {
                if part == 1 {
                    planned.clone_from(&ledger.planned);
                    merged.push(event);
                }
            }
            What::RunFinished { result, exit_code } => {
                if number == last {
                    (*result, *exit_code) = ledger.worst.unwrap_or((*result, *exit_code));
                    merged.push(event);
                }
            }
            what => match scenario_of(what).and_then(|name| ledger.case(name)) {
                Some(case) => merged.extend(of_scenario(case, part, event)),
                None => merged.push(event),
            },
        }
    }
    merged
}

/// What becomes of an event that is about a scenario.
fn of_scenario(case: &Case, part: usize, event: Event) -> Vec<Event> {
    let counts = case.counts == Some(part);
    let attempt = case.attempt(part);
    let (stage, scenario, outcome, took_ms, output) = match event.what {
        What::ScenarioFinished { stage, scenario, outcome, took_ms, output } => {
            (stage, scenario, outcome, took_ms, output)
        }
        What::EvidenceCollected { .. } | What::CapsuleSaved { .. } if attempt.is_some() => {
            return vec![event];
        }
        _ => return if counts { vec![event] } else { Vec::new() },
    };
    let tried = attempt.map(|attempt| What::ScenarioTried {
        stage: stage.clone(),
        scenario: scenario.clone(),
        attempt,
        of: case.tries(),
        outcome: outcome.clone(),
        took_ms,
        output: output.as_ref().map(whole),
    });
    let finished = counts.then(|| {
        let outcome = match &case.first_failure {
            Some(failure) => Outcome::Flaky { attempt: case.tries(), failure: failure.clone() },
            None => outcome,
        };
        What::ScenarioFinished { stage, scenario, outcome, took_ms, output }
    });
    tried.into_iter().chain(finished).map(|what| Event { at: event.at, what }).collect()
}

fn whole(output: &OutputFile) -> OutputPart {
    OutputPart { path: output.path.clone(), offset: 0, bytes: output.bytes }
}

fn is_start(event: &Event) -> bool {
    matches!(event.what, What::RunStarted { .. })
}

#[cfg(test)]
pub(super) mod tests;
