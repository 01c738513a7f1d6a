//! A run as its HTML report tells it, gathered from the events.

mod gather;

use std::path::PathBuf;

use chrono::{DateTime, Utc};

use crate::events::{EnvironmentFacts, Machine, OutputPart, RunResult};
use crate::outcome::{Class, Outcome};
pub(super) use gather::gather;

/// A run.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) suite: String,
    /// The version of lago-test that ran it.
    pub(super) version: String,
    pub(super) arguments: Vec<String>,
    pub(super) machine: Machine,
    pub(super) started: DateTime<Utc>,
    /// When the last event was.
    pub(super) ended: DateTime<Utc>,
    /// How it ended; none when the events end before it did.
    pub(super) result: Option<(RunResult, u8)>,
    pub(super) interrupted: Option<String>,
    pub(super) environment: Environment,
    /// In planned order.
    pub(super) stages: Vec<Stage>,
}

/// What became of the environment.
#[derive(Debug, Default)]
pub(super) struct Environment {
    pub(super) facts: Option<EnvironmentFacts>,
    /// How long bring-up took in milliseconds, and whether it was from the cache.
    pub(super) up: Option<(u64, bool)>,
    /// Why it did not come up.
    pub(super) failed: Option<String>,
    /// The states of an earlier run that this one started from.
    pub(super) reused: Option<Vec<String>>,
    /// Names of states, with how long saving took in milliseconds, or why they were not saved.
    pub(super) states: Vec<(String, Result<u64, String>)>,
    /// What became of it at the end, in a sentence.
    pub(super) end: Option<String>,
}

/// A stage of which something was to run.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) name: String,
    pub(super) scenarios: Vec<Scenario>,
}

/// A scenario that was to run.
#[derive(Debug)]
pub(super) struct Scenario {
    pub(super) stage: String,
    pub(super) name: String,
    pub(super) prerequisite: bool,
    pub(super) fate: Fate,
    /// How long it ran in milliseconds, all repetitions together.
    pub(super) took_ms: u64,
    /// What is known of its last start.
    pub(super) start: Option<Start>,
    /// Its output, from the prefix.
    pub(super) output: Option<PathBuf>,
    /// Each time that it ran, when it ran more than once.
    pub(super) attempts: Vec<Attempt>,
    pub(super) consoles: Vec<Console>,
    pub(super) evidence: Vec<Evidence>,
    pub(super) capsule: Option<Capsule>,
    /// The scenarios that it blocks, as `stage::scenario`.
    pub(super) blocks: Vec<String>,
}

/// How a scenario ended, or that it did not.
#[derive(Debug, Clone)]
pub(super) enum Fate {
    Ended(Outcome),
    /// It ran when the events end.
    CutShort,
    /// The events end before it began.
    NotReached,
}

/// That a scenario started.
#[derive(Debug, Clone)]
pub(super) struct Start {
    pub(super) at: DateTime<Utc>,
    pub(super) worker: u32,
    pub(super) fork: Option<String>,
    pub(super) limit_ms: Option<u64>,
    pub(super) vms: Vec<String>,
}

/// One of several times that a scenario ran.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) why: Why,
    pub(super) number: u32,
    pub(super) of: u32,
    pub(super) outcome: Outcome,
    pub(super) took_ms: u64,
    /// Its part of the output, if that is known.
    pub(super) output: Option<OutputPart>,
}

/// Why a scenario ran several times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// To see how often it fails.
    Repeated,
    /// It may be tried again when it fails.
    Tried,
}

/// A part of a console's log.
#[derive(Debug)]
pub(super) struct Console {
    pub(super) vm: String,
    /// From the prefix, in the order in which to look for it: the logs of a fork are moved when it goes.
    pub(super) logs: Vec<PathBuf>,
    pub(super) from: u64,
    /// None when it goes up to the log's end.
    pub(super) to: Option<u64>,
}

/// What was collected after a failure.
#[derive(Debug)]
pub(super) struct Evidence {
    pub(super) took_ms: u64,
    /// From the prefix.
    pub(super) files: Vec<PathBuf>,
    pub(super) problems: Vec<String>,
}

/// The environment of a failure, in one file.
#[derive(Debug)]
pub(super) struct Capsule {
    /// From the prefix.
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
}

impl Record {
    /// All scenarios, in planned order.
    pub(super) fn scenarios(&self) -> impl Iterator<Item = &Scenario> {
        self.stages.iter().flat_map(|stage| &stage.scenarios)
    }
}

impl Scenario {
    /// `stage::scenario`.
    pub(super) fn full_name(&self) -> String {
        format!("{}::{}", self.stage, self.name)
    }

    /// What names it in the document. Stages and scenarios have letters, digits, `_` and `-` only.
    pub(super) fn anchor(&self) -> String {
        anchor(&self.stage, &self.name)
    }

    /// Whether it ran and did not pass, and somebody has to look at it.
    pub(super) fn has_failed(&self) -> bool {
        match &self.fate {
            Fate::Ended(outcome) => matches!(outcome.class(), Class::Failure | Class::Error),
            Fate::CutShort => true,
            Fate::NotReached => false,
        }
    }

    /// Why it ended so; nothing when it passed.
    pub(super) fn reason(&self) -> String {
        match &self.fate {
            Fate::Ended(outcome) => outcome.to_string(),
            Fate::CutShort => "it ran when the run ended without a word: the harness was killed, or the machine went down".to_owned(),
            Fate::NotReached => "not run: the run ended before it did".to_owned(),
        }
    }
}

/// What names a scenario in the document.
pub(super) fn anchor(stage: &str, scenario: &str) -> String {
    format!("s.{stage}.{scenario}")
}
