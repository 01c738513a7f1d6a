//! How a scenario ended.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::duration::spoken;
use crate::result::Failure;

/// How a scenario ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It ran to its end.
    Passed,
    /// An assertion does not hold, or it panicked.
    Failed {
        /// What does not hold.
        failure: Failure,
    },
    /// It could not be run to its end: its worker died, what it stands on is broken, or it was interrupted.
    Errored {
        /// What happened.
        message: String,
    },
    /// It was still running when its limit passed, and was killed.
    TimedOut {
        /// The limit, in milliseconds.
        limit_ms: u64,
    },
    /// It does not apply here.
    Skipped {
        /// Why.
        reason: String,
    },
    /// It did not run, because something that it stands on failed.
    Blocked {
        /// The scenario that failed as `stage::scenario`, or `environment`.
        by: String,
    },
    /// It did not run, because the run ended before.
    NotRun {
        /// Why the run ended.
        reason: String,
    },
}

/// What a run, or the report on it, has to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Passed,
    /// An assertion does not hold.
    Failure,
    /// Nothing is known about what is asserted.
    Error,
    /// It did not run.
    NoResult,
}

impl Outcome {
    pub(crate) fn timed_out(limit: Duration) -> Self {
        Self::TimedOut { limit_ms: limit.as_millis().try_into().unwrap_or(u64::MAX) }
    }

    pub(crate) fn class(&self) -> Class {
        match self {
            Self::Passed => Class::Passed,
            Self::Failed { .. } => Class::Failure,
            Self::Errored { .. } | Self::TimedOut { .. } => Class::Error,
            Self::Skipped { .. } | Self::Blocked { .. } | Self::NotRun { .. } => Class::NoResult,
        }
    }

    /// Whether it ran and did not pass, so that what stands on it cannot run.
    pub fn is_failure(&self) -> bool {
        matches!(self.class(), Class::Failure | Class::Error)
    }

    /// The outcome's name, as in `events.jsonl`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed { .. } => "failed",
            Self::Errored { .. } => "errored",
            Self::TimedOut { .. } => "timed_out",
            Self::Skipped { .. } => "skipped",
            Self::Blocked { .. } => "blocked",
            Self::NotRun { .. } => "not_run",
        }
    }
}

/// What a person is told: empty for [`Outcome::Passed`].
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => Ok(()),
            Self::Failed { failure } => write!(f, "{failure}"),
            Self::Errored { message } => write!(f, "{message}"),
            Self::TimedOut { limit_ms } => {
                let limit = spoken(Duration::from_millis(*limit_ms));
                write!(f, "timed out: still running after {limit}, its worker was killed")
            }
            Self::Skipped { reason } => write!(f, "{reason}"),
            Self::Blocked { by } => write!(f, "blocked by {by}"),
            Self::NotRun { reason } => write!(f, "not run: {reason}"),
        }
    }
}
