//! Whether the environment stays after a run.

use std::env;

use crate::events::RunResult;

/// Says whether the environment stays: `never`, `failure` or `always`.
const VARIABLE: &str = "LAGO_KEEP";

/// When the environment stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Keep {
    #[default]
    Never,
    OnFailure,
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
            "" | "never" => Ok(Self::Never),
            "failure" => Ok(Self::OnFailure),
            "always" => Ok(Self::Always),
            other => Err(format!("{VARIABLE}={other}: it is `never`, `failure` or `always`")),
        }
    }

    /// Why the environment stays after a run that ended so, if it does.
    pub(super) fn reason(self, result: RunResult) -> Option<&'static str> {
        match (self, result) {
            (Self::Always, _) => Some("LAGO_KEEP=always"),
            (Self::OnFailure, RunResult::Failed | RunResult::Infrastructure) => {
                Some("LAGO_KEEP=failure")
            }
            (Self::OnFailure, RunResult::Passed | RunResult::Interrupted) | (Self::Never, _) => {
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_when() {
        let kept = |value| Keep::parse(value).unwrap();
        assert_eq!(kept("").reason(RunResult::Failed), None);
        assert_eq!(kept("failure").reason(RunResult::Passed), None);
        assert_eq!(kept("failure").reason(RunResult::Interrupted), None);
        assert!(kept("failure").reason(RunResult::Infrastructure).is_some());
        assert!(kept("always").reason(RunResult::Passed).is_some());
        assert!(Keep::parse("yes").unwrap_err().contains("LAGO_KEEP=yes"));
    }
}
