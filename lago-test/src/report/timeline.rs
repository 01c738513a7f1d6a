//! What a run did when, and what it did at the same time: a function of the events.

mod build;
mod rows;
mod shares;

use chrono::{DateTime, Utc};

use crate::outcome::Outcome;
pub(super) use build::timeline;
pub(super) use rows::rows;
pub(super) use shares::{Share, shares};

/// What a run did when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Timeline {
    /// When the first thing began.
    pub(super) start: DateTime<Utc>,
    /// How long it all took, in microseconds.
    pub(super) length: u64,
    /// What happened in each lane: the prefix first, then forks as they came.
    pub(super) lanes: Vec<Track>,
    /// What was done to each VM, for each environment in turn.
    pub(super) vms: Vec<Track>,
}

/// Things that happened one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Track {
    /// The fork; none when this is the prefix itself.
    pub(super) fork: Option<String>,
    /// The VM, for a track of one.
    pub(super) vm: Option<String>,
    /// What took time, in the order in which it began.
    pub(super) spans: Vec<Span>,
    /// What took none.
    pub(super) marks: Vec<Mark>,
}

/// Something that took time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    /// In microseconds from the timeline's start.
    pub(super) from: u64,
    /// In microseconds from the timeline's start.
    pub(super) to: u64,
    pub(super) what: Doing,
}

/// What took time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Doing {
    /// A scenario ran. `attempt` is there when it was one of several.
    Scenario {
        stage: String,
        scenario: String,
        attempt: Option<u32>,
        /// None when the events end before it does.
        outcome: Option<Outcome>,
        vms: Vec<String>,
    },
    /// The environment came up, or failed to.
    BringUp { how: &'static str, failed: bool },
    /// A state was saved.
    Save { state: String },
    /// The environment was put back into a state.
    Restore { state: String },
    /// A fork was made.
    Fork { state: String },
    /// What is left of a failed scenario was collected.
    Evidence { stage: String, scenario: String },
    /// The environment, or a fork, was taken down.
    TakeDown { how: &'static str },
    /// The library worked on something.
    Work { work: String, subject: Option<String> },
}

/// Something that happened at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    /// In microseconds from the timeline's start.
    pub(super) at: u64,
    pub(super) what: String,
}

impl Span {
    /// How long it took, in microseconds.
    pub(super) fn length(&self) -> u64 {
        self.to - self.from
    }
}

impl Track {
    fn new(fork: Option<String>, vm: Option<String>) -> Self {
        Self { fork, vm, spans: Vec::new(), marks: Vec::new() }
    }

    /// What a reader calls it.
    pub(super) fn name(&self) -> String {
        match (&self.vm, &self.fork) {
            (Some(vm), None) => vm.clone(),
            (Some(vm), Some(fork)) => format!("{vm} in fork {fork}"),
            (None, None) => "prefix".to_owned(),
            (None, Some(fork)) => format!("fork {fork}"),
        }
    }
}

impl Doing {
    /// A few words.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Scenario { stage, scenario, attempt: None, .. } => {
                format!("{stage}::{scenario}")
            }
            Self::Scenario { stage, scenario, attempt: Some(number), .. } => {
                format!("{stage}::{scenario} #{number}")
            }
            Self::BringUp { how, .. } => format!("bring-up, {how}"),
            Self::Save { state } => format!("save {state}"),
            Self::Restore { state } => format!("revert to {state}"),
            Self::Fork { state } => format!("fork of {state}"),
            Self::Evidence { .. } => "evidence".to_owned(),
            Self::TakeDown { how } => (*how).to_owned(),
            Self::Work { work, subject: None } => work.clone(),
            Self::Work { work, subject: Some(subject) } => format!("{work} {subject}"),
        }
    }

    /// What kind of thing it is, in a word.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Scenario { .. } => "scenario",
            Self::BringUp { .. } => "bring-up",
            Self::Save { .. } => "save",
            Self::Restore { .. } => "revert",
            Self::Fork { .. } => "fork",
            Self::Evidence { .. } => "evidence",
            Self::TakeDown { .. } => "take-down",
            Self::Work { .. } => "work",
        }
    }
}

#[cfg(test)]
mod tests;
