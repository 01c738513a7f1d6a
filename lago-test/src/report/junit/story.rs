//! What the events tell of each scenario.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::events::{Event, OutputFile, OutputPart, What};
use crate::outcome::Outcome;

/// What the events tell of a scenario.
#[derive(Debug, Clone, Default)]
pub(super) struct Story<'a> {
    /// Its log, once it has begun to run.
    pub(super) log: Option<&'a Path>,
    /// Its tries, when it failed and could be tried again.
    pub(super) tries: Vec<Try<'a>>,
    /// The files with evidence of its failures, from the prefix.
    pub(super) evidence: Vec<&'a Path>,
    /// How it ended, once it has.
    pub(super) end: Option<End<'a>>,
}

/// How a scenario ended: [`What::ScenarioFinished`].
#[derive(Debug, Clone, Copy)]
pub(super) struct End<'a> {
    pub(super) outcome: &'a Outcome,
    pub(super) took: Duration,
    pub(super) output: Option<&'a OutputFile>,
}

/// One try of a scenario: [`What::ScenarioTried`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Try<'a> {
    pub(super) outcome: &'a Outcome,
    pub(super) output: Option<&'a OutputPart>,
}

/// What the events tell of the scenarios, by stage and name.
pub(super) fn stories(events: &[Event]) -> HashMap<(&str, &str), Story<'_>> {
    let mut stories: HashMap<(&str, &str), Story<'_>> = HashMap::new();
    for event in events {
        match &event.what {
            What::ScenarioStarted { stage, scenario, log, .. } => {
                stories.entry((stage, scenario)).or_default().log = Some(log);
            }
            What::ScenarioTried { stage, scenario, outcome, output, .. } => {
                let tried = Try { outcome, output: output.as_ref() };
                stories.entry((stage, scenario)).or_default().tries.push(tried);
            }
            What::ScenarioFinished { stage, scenario, outcome, took_ms, output } => {
                let took = Duration::from_millis(*took_ms);
                let end = End { outcome, took, output: output.as_ref() };
                stories.entry((stage, scenario)).or_default().end = Some(end);
            }
            What::EvidenceCollected { stage, scenario, files, .. } => {
                let files = files.iter().map(PathBuf::as_path);
                stories.entry((stage, scenario)).or_default().evidence.extend(files);
            }
            What::CapsuleSaved { stage, scenario, path, .. } => {
                stories.entry((stage, scenario)).or_default().evidence.push(path);
            }
            _ => {}
        }
    }
    stories
}
