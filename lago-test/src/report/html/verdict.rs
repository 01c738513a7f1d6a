//! How a scenario's end is shown: a sign, a word and a colour, so that nobody has to tell colours apart.

use maud::{Markup, html};

use super::record::{Fate, Scenario};
use crate::outcome::Outcome;

/// The kinds of ends, with those first that somebody has to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    Failed,
    Errored,
    TimedOut,
    Blocked,
    NotRun,
    Known,
    Flaky,
    Skipped,
    Passed,
}

impl Verdict {
    pub(super) const ALL: [Self; 9] = [
        Self::Failed,
        Self::Errored,
        Self::TimedOut,
        Self::Blocked,
        Self::NotRun,
        Self::Known,
        Self::Flaky,
        Self::Skipped,
        Self::Passed,
    ];

    pub(super) fn of(scenario: &Scenario) -> Self {
        match &scenario.fate {
            Fate::Ended(outcome) => Self::of_outcome(outcome),
            Fate::CutShort => Self::Errored,
            Fate::NotReached => Self::NotRun,
        }
    }

    pub(super) fn of_outcome(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Passed => Self::Passed,
            Outcome::Flaky { .. } => Self::Flaky,
            Outcome::KnownFailure { .. } => Self::Known,
            Outcome::Failed { .. } => Self::Failed,
            Outcome::Errored { .. } => Self::Errored,
            Outcome::TimedOut { .. } => Self::TimedOut,
            Outcome::Skipped { .. } => Self::Skipped,
            Outcome::Blocked { .. } => Self::Blocked,
            Outcome::NotRun { .. } => Self::NotRun,
        }
    }

    /// The name of its class in the style sheet, and of its sign.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Errored => "errored",
            Self::TimedOut => "timed-out",
            Self::Blocked => "blocked",
            Self::NotRun => "not-run",
            Self::Known => "known",
            Self::Flaky => "flaky",
            Self::Skipped => "skipped",
            Self::Passed => "passed",
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::TimedOut => "timed out",
            Self::NotRun => "not run",
            Self::Known => "known failure",
            other => other.class(),
        }
    }

    /// Whether somebody has to look at it.
    pub(super) fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Errored | Self::TimedOut)
    }

    /// The sign and the word.
    pub(super) fn badge(self) -> Markup {
        html! {
            span class={ "badge " (self.class()) } { (self.sign()) " " (self.word()) }
        }
    }

    pub(super) fn sign(self) -> Markup {
        html! { svg.sign aria-hidden="true" { use href={ "#sign-" (self.class()) } {} } }
    }
}

/// The signs, drawn, since no font is sure to have them. Each is 16 units wide and high.
pub(super) fn signs() -> Markup {
    // A disc, and on it a shape in the colour of the ground.
    let sign = |verdict: Verdict, shape: &str| {
        html! {
            symbol id={ "sign-" (verdict.class()) } viewBox="0 0 16 16" {
                circle.disc cx="8" cy="8" r="8" {}
                path.shape d=(shape) {}
            }
        }
    };
    html! {
        svg.signs aria-hidden="true" width="0" height="0" {
            (sign(Verdict::Passed, "M4.4 8.4 7 11l4.8-5.4"))
            (sign(Verdict::Failed, "M5 5l6 6M11 5l-6 6"))
            (sign(Verdict::Errored, "M8 3.8v5M8 11.4v.8"))
            (sign(Verdict::TimedOut, "M8 4v4.2l2.8 2"))
            (sign(Verdict::Blocked, "M4 8h8"))
            (sign(Verdict::Known, "M5.2 5.2l5.6 5.6M10.8 5.2 8 8"))
            (sign(Verdict::Flaky, "M3.8 9.5 6.4 6l3 4 2.8-3.6"))
            (sign(Verdict::Skipped, "M5 4.8l3.2 3.2L5 11.2M10.6 4.8v6.4"))
            (sign(Verdict::NotRun, "M4.6 8h.8M7.6 8h.8M10.6 8h.8"))
        }
    }
}
