//! What stays of the environment after a run.

use std::env;

use crate::events::RunResult;

/// Says what stays: `never`, `failure` or `always`.
const VARIABLE: &str = "LAGO_KEEP";

/// What stays, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Keep {
    /// The saved states, on disk; nothing runs.
    #[default]
    States,
    /// Nothing.
    Never,
    /// As [`Self::States`], but after a failure the environment goes on running.
    OnFailure,
    /// The environment goes on running.
    Always,
}

impl Keep {
    /// What the user wants.
    pub(super) fn from_environment() -> Result<Self, String> {
        match env::var(VARIABLE) {
            Ok(value) => Self::parse(&value),
            Err(env::VarError::NotPresent) => Ok(Self::default()),
            Err(error) => Err(format!("{VARIABLE}: {error}")),
        }
    }

    fn parse(value: &str) -> Result<Self, String> {
        match value {
            "" => Ok(Self::States),
            "never" => Ok(Self::Never),
            "failure" => Ok(Self::OnFailure),
            "always" => Ok(Self::Always),
            other => Err(format!("{VARIABLE}={other}: it is `never`, `failure` or `always`")),
        }
    }

    /// Whether saved states are of use after the run.
    pub(super) fn keeps_states(self) -> bool {
        self != Self::Never
    }

    /// Why an environment whose scenarios ended so goes on running, if it does.
    pub(super) fn goes_on(self, result: RunResult) -> Option<&'static str> {
        match (self, result) {
            (Self::Always, _) => Some("LAGO_KEEP=always"),
            (Self::OnFailure, RunResult::Failed | RunResult::Infrastructure) => {
                Some("LAGO_KEEP=failure")
            }
            (Self::OnFailure, RunResult::Passed | RunResult::Interrupted)
            | (Self::Never | Self::States, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_when() {
        let kept = |value| Keep::parse(value).unwrap();
        assert_eq!(kept("").goes_on(RunResult::Failed), None);
        assert!(kept("").keeps_states());
        assert!(!kept("never").keeps_states());
        assert_eq!(kept("failure").goes_on(RunResult::Passed), None);
        assert_eq!(kept("failure").goes_on(RunResult::Interrupted), None);
        assert!(kept("failure").goes_on(RunResult::Infrastructure).is_some());
        assert!(kept("always").goes_on(RunResult::Passed).is_some());
        assert!(Keep::parse("yes").unwrap_err().contains("LAGO_KEEP=yes"));
    }
}
