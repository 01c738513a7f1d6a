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
    /// It ran to its end after it had failed, both times from the same state.
    Flaky {
        /// Which try passed, from 2.
        attempt: u32,
        /// How the first try ended.
        failure: String,
    },
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
        /// What there is to add.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// It failed, as it is known to do, and this run tolerates that.
    KnownFailure {
        /// What is known, from [`Scenario::unstable`](crate::Scenario::unstable).
        reason: String,
        /// How it ended this time.
        failure: String,
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
    /// It did not pass, and the run may pass all the same.
    Tolerated,
    /// It did not run.
    NoResult,
}

impl Outcome {
    pub(crate) fn timed_out(limit: Duration) -> Self {
        Self::TimedOut { limit_ms: limit.as_millis().try_into().unwrap_or(u64::MAX), note: None }
    }

    pub(crate) fn class(&self) -> Class {
        match self {
            Self::Passed | Self::Flaky { .. } => Class::Passed,
            Self::Failed { .. } => Class::Failure,
            Self::Errored { .. } | Self::TimedOut { .. } => Class::Error,
            Self::KnownFailure { .. } => Class::Tolerated,
            Self::Skipped { .. } | Self::Blocked { .. } | Self::NotRun { .. } => Class::NoResult,
        }
    }

    /// Whether it ran and did not pass, so that what stands on it cannot run.
    pub fn is_failure(&self) -> bool {
        matches!(self.class(), Class::Failure | Class::Error | Class::Tolerated)
    }

    /// The same outcome with something to add in its message, if it has one to which something can be added.
    #[must_use]
    pub(crate) fn with_note(self, note: &str) -> Self {
        match self {
            Self::Failed { failure } => Self::Failed { failure: failure.with_note(note) },
            Self::Errored { message } => Self::Errored { message: noted(&message, note) },
            Self::TimedOut { limit_ms, note: None } => {
                Self::TimedOut { limit_ms, note: Some(note.to_owned()) }
            }
            Self::TimedOut { limit_ms, note: Some(before) } => {
                Self::TimedOut { limit_ms, note: Some(format!("{before}; {note}")) }
            }
            other => other,
        }
    }

    /// The outcome's name, as in `events.jsonl`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Flaky { .. } => "flaky",
            Self::Failed { .. } => "failed",
            Self::Errored { .. } => "errored",
            Self::TimedOut { .. } => "timed_out",
            Self::KnownFailure { .. } => "known_failure",
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
            Self::Flaky { attempt, failure } => {
                write!(f, "passed at try {attempt}; the first try: {failure}")
            }
            Self::Failed { failure } => write!(f, "{failure}"),
            Self::Errored { message } => write!(f, "{message}"),
            Self::TimedOut { limit_ms, note } => {
                let limit = spoken(Duration::from_millis(*limit_ms));
                write!(f, "timed out: still running after {limit}, its worker was killed")?;
                note.iter().try_for_each(|note| write!(f, " ({note})"))
            }
            Self::KnownFailure { reason, failure } => {
                write!(f, "known failure ({reason}): {failure}")
            }
            Self::Skipped { reason } => write!(f, "{reason}"),
            Self::Blocked { by } => write!(f, "blocked by {by}"),
            Self::NotRun { reason } => write!(f, "not run: {reason}"),
        }
    }
}

/// A message with something to add in brackets, at the end of its first line: that is what lists show.
pub(crate) fn noted(message: &str, note: &str) -> String {
    match message.split_once('\n') {
        Some((first, rest)) => format!("{first} ({note})\n{rest}"),
        None => format!("{message} ({note})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_in_the_line_that_lists_show() {
        let failed =
            Outcome::Failed { failure: Failure::new("no page\nat all").without_location() };
        assert_eq!(failed.with_note("unstable").to_string(), "no page (unstable)\nat all");
        let errored = Outcome::Errored { message: "worker died".into() };
        assert_eq!(errored.with_note("unstable").to_string(), "worker died (unstable)");
        let hung = Outcome::timed_out(Duration::from_secs(2)).with_note("one").with_note("two");
        assert_eq!(
            hung.to_string(),
            "timed out: still running after 2 s, its worker was killed (one; two)"
        );
        assert_eq!(Outcome::Passed.with_note("unstable"), Outcome::Passed);
    }

    #[test]
    fn what_keeps_others_from_running() {
        let known = Outcome::KnownFailure { reason: "DNS".into(), failure: "no page".into() };
        assert!(known.is_failure());
        assert_eq!(known.to_string(), "known failure (DNS): no page");
        let flaky = Outcome::Flaky { attempt: 2, failure: "no page".into() };
        assert!(!flaky.is_failure());
        assert_eq!(flaky.to_string(), "passed at try 2; the first try: no page");
    }

    #[test]
    fn a_time_out_of_an_older_run_is_read() {
        let read: Outcome =
            serde_json::from_str(r#"{"outcome":"timed_out","limit_ms":7}"#).unwrap();
        assert_eq!(read, Outcome::timed_out(Duration::from_millis(7)));
    }
}
