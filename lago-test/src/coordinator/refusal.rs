//! Why a command line starts nothing, and what the process exits with then.

use std::process::ExitCode;

use super::runner::EXIT_INFRASTRUCTURE;
use crate::tell::tell;

/// The command line or the suite itself is wrong; also clap's own code for that.
const EXIT_REFUSED: u8 = 2;

/// Why nothing is run.
#[derive(Debug)]
pub(super) enum Refusal {
    /// What is wrong with the command line, the environment variables or the suite.
    Wrong(Vec<String>),
    /// What this machine refuses.
    Broken(String),
}

impl Refusal {
    /// Tells the user, and gives the exit code.
    pub(super) fn tell(&self, suite: &str) -> ExitCode {
        match self {
            Self::Wrong(problems) => {
                for problem in problems {
                    tell(format_args!("suite `{suite}`: {problem}"));
                }
                ExitCode::from(EXIT_REFUSED)
            }
            Self::Broken(problem) => {
                tell(problem);
                ExitCode::from(EXIT_INFRASTRUCTURE)
            }
        }
    }
}

impl From<Vec<String>> for Refusal {
    fn from(problems: Vec<String>) -> Self {
        Self::Wrong(problems)
    }
}

impl From<String> for Refusal {
    fn from(problem: String) -> Self {
        Self::Wrong(vec![problem])
    }
}
