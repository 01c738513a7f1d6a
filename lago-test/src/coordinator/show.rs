//! What a run prints while it goes on: a line for each scenario, in declared order, and the result.

mod json;
mod list;
mod log_file;
mod mimic;

use std::time::Duration;

use libtest_mimic::{ColorSetting, Conclusion, FormatSetting};

use super::arguments::Arguments;
use super::plan::{Role, Step};
use crate::outcome::{Class, Outcome};
pub(super) use list::{Listed, list};
pub(super) use log_file::LogFile;

/// What a run shows.
#[derive(Debug, Clone, Default)]
pub(super) struct Program {
    /// In declared order.
    pub(super) shown: Vec<Shown>,
    /// How many scenarios are not.
    pub(super) filtered_out: usize,
}

/// One scenario that is shown.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub(super) stage: String,
    pub(super) scenario: String,
    pub(super) turn: Turn,
}

/// What comes when it is a scenario's turn.
#[derive(Debug, Clone)]
pub(super) enum Turn {
    Runs(Step),
    /// It does not run: the reason.
    Ignored(String),
}

impl Shown {
    /// `stage::scenario`.
    pub(super) fn name(&self) -> String {
        format!("{}::{}", self.stage, self.scenario)
    }

    /// Why it does not run.
    pub(super) fn ignore_reason(&self) -> &str {
        match &self.turn {
            Turn::Ignored(reason) => reason,
            Turn::Runs(_) => "this scenario was not meant to run",
        }
    }

    /// Whether it runs only because a selected one stands on it.
    pub(super) fn is_prerequisite(&self) -> bool {
        matches!(self.turn, Turn::Runs(Step { role: Role::Prerequisite, .. }))
    }
}

/// How a scenario ended, as far as it is shown.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    /// How long it ran, if it did.
    pub(super) took: Option<Duration>,
    /// Its output, as far as it is to be shown.
    pub(super) output: Option<String>,
}

impl Ended {
    /// One that does not run.
    pub(super) fn ignored(reason: &str) -> Self {
        let outcome = Outcome::Skipped { reason: reason.to_owned() };
        Self { outcome, took: None, output: None }
    }
}

/// How results are shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub(super) format: FormatSetting,
    pub(super) color: Option<ColorSetting>,
    pub(super) report_time: bool,
    /// Whether what scenarios that passed have printed is shown too.
    pub(super) show_output: bool,
    /// Whether this process is the test of one scenario: it fails when that could not run, and when nothing else fails.
    pub(super) one_scenario: bool,
}

impl Style {
    pub(super) fn new(arguments: &Arguments, one_scenario: bool) -> Self {
        let Arguments { color, report_time, show_output, .. } = *arguments;
        Self { format: arguments.format(), color, report_time, show_output, one_scenario }
    }

    /// What `cargo test` calls the outcome of what is shown.
    fn verdict(self, shown: &Shown, outcome: &Outcome) -> Verdict {
        match outcome.class() {
            Class::Passed => Verdict::Ok,
            // It is a test of its own, and fails there. What cannot run without it is blocked.
            _ if self.one_scenario && shown.is_prerequisite() => Verdict::Ignored,
            Class::Failure | Class::Error => Verdict::Failed,
            Class::Tolerated => Verdict::Ignored,
            Class::NoResult => match outcome {
                Outcome::Blocked { .. } | Outcome::NotRun { .. } if self.one_scenario => {
                    Verdict::Failed
                }
                _ => Verdict::Ignored,
            },
        }
    }
}

/// A result, as `cargo test` knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Ok,
    Failed,
    Ignored,
}

/// Has every scenario run when it is its turn, and shows how it ended.
pub(super) fn run<E>(program: Program, style: Style, end: E) -> Conclusion
where
    E: Fn(&Shown) -> Ended + Clone + Send + 'static,
{
    match style.format {
        FormatSetting::Json => json::run(&program, style, end),
        FormatSetting::Pretty | FormatSetting::Terse => mimic::run(program, style, &end),
    }
}
