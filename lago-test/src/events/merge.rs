//! The events of several processes, which each ran a part of one run, as those of one run.
//!
//! Under `cargo nextest` with `LAGO_NEXTEST=scenario` each scenario has a process of its own, and what several of them
//! stand on may have run in each. All append to one file.

use std::collections::{HashMap, HashSet};

use super::{Event, Planned, RunResult, What};

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

/// As if one process had run everything: one first event that names all that was planned, for each scenario one that says
/// how it ended, and one last event. A scenario ended as it did where it was selected, whatever became of it where others
/// stand on it.
pub(super) fn merged(events: Vec<Event>) -> Vec<Event> {
    let parts = Parts::of(&events);
    if parts.starts < 2 {
        return events;
    }
    let mut started = false;
    let mut merged = Vec::with_capacity(events.len());
    for (number, mut event) in events.into_iter().enumerate() {
        match &mut event.what {
            What::RunStarted { .. } if started => continue,
            What::RunStarted { planned, .. } => {
                started = true;
                planned.clone_from(&parts.planned);
            }
            What::ScenarioFinished { .. } if !parts.counting.contains(&number) => continue,
            What::RunFinished { .. } if number + 1 != parts.events => continue,
            What::RunFinished { result, exit_code } => {
                (*result, *exit_code) = parts.worst.unwrap_or((*result, *exit_code));
            }
            _ => {}
        }
        merged.push(event);
    }
    merged
}

/// What a shell says of a process that was killed.
const EXIT_KILLED: u8 = 128 + 9;

/// What the parts of a run have in common.
struct Parts {
    events: usize,
    starts: usize,
    /// Whether the last process that started has not ended.
    is_open: bool,
    /// All that was planned, in the order in which it was.
    planned: Vec<Planned>,
    /// The numbers of those events that say how a scenario ended.
    counting: HashSet<usize>,
    worst: Option<(RunResult, u8)>,
}

impl Parts {
    fn of(events: &[Event]) -> Self {
        let mut parts = Self {
            events: events.len(),
            starts: 0,
            is_open: false,
            planned: Vec::new(),
            counting: HashSet::new(),
            worst: None,
        };
        let mut places: HashMap<(&str, &str), usize> = HashMap::new();
        let mut ends: HashMap<(&str, &str), End> = HashMap::new();
        for (number, event) in events.iter().enumerate() {
            match &event.what {
                What::RunStarted { planned, .. } => {
                    if parts.is_open {
                        parts.take_note(RunResult::Interrupted, EXIT_KILLED);
                    }
                    parts.starts += 1;
                    parts.is_open = true;
                    for planned in planned {
                        let name = (planned.stage.as_str(), planned.scenario.as_str());
                        let place = *places.entry(name).or_insert_with(|| {
                            parts.planned.push(planned.clone());
                            parts.planned.len() - 1
                        });
                        parts.planned[place].prerequisite &= planned.prerequisite;
                        ends.entry(name).or_default().begin(planned.prerequisite);
                    }
                }
                What::ScenarioFinished { stage, scenario, .. } => {
                    ends.entry((stage, scenario)).or_default().end(number);
                }
                What::RunFinished { result, exit_code } => {
                    parts.is_open = false;
                    parts.take_note(*result, *exit_code);
                }
                _ => {}
            }
        }
        parts.counting = ends.into_values().filter_map(|end| end.counts).collect();
        parts
    }

    /// Takes note of how a process ended.
    fn take_note(&mut self, result: RunResult, exit_code: u8) {
        if self.worst.is_none_or(|(worst, _)| rank(result) > rank(worst)) {
            self.worst = Some((result, exit_code));
        }
    }
}

/// Which event says how a scenario ended.
#[derive(Default)]
struct End {
    /// Whether it was selected in a process so far.
    was_selected: bool,
    /// Whether it is selected in this process.
    is_selected: bool,
    counts: Option<usize>,
}

impl End {
    /// A process begins that runs it.
    fn begin(&mut self, prerequisite: bool) {
        self.is_selected = !prerequisite;
        if self.is_selected {
            self.was_selected = true;
            self.counts = None;
        }
    }

    /// It has ended in this process.
    fn end(&mut self, number: usize) {
        if self.is_selected || !self.was_selected {
            self.counts = Some(number);
        }
    }
}

fn is_start(event: &Event) -> bool {
    matches!(event.what, What::RunStarted { .. })
}

fn rank(result: RunResult) -> u8 {
    match result {
        RunResult::Passed => 0,
        RunResult::Failed => 1,
        RunResult::Infrastructure => 2,
        RunResult::Interrupted => 3,
    }
}

#[cfg(test)]
mod tests;
