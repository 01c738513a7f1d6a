//! How a suite looks to `cargo nextest`, which lists tests and runs each of them in a process of its own.
//!
//! A suite is one test there, whose process runs all scenarios. With `LAGO_NEXTEST=scenario` each scenario is a test: its
//! process takes over the prefix, puts the environment back into the state that the scenario needs, and runs it. What such
//! processes of one nextest run tell of is one record.

use std::env;

use super::arguments::Arguments;
use super::selection::Selection;
use super::show::Listed;
use crate::suite::Suite;

/// What is a test to nextest: `suite` or `scenario`.
const VARIABLE: &str = "LAGO_NEXTEST";

/// What nextest takes for a test.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Nextest {
    /// Nothing: it is not there.
    #[default]
    Absent,
    /// The whole suite.
    Suite,
    /// Each scenario. `run` is what the processes of one nextest run have in common, which old ones do not say.
    Scenario { run: Option<String> },
}

impl Nextest {
    /// What this process was started for.
    pub(super) fn from_environment() -> Result<Self, String> {
        let value = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let is_there = value("NEXTEST").is_some_and(|value| value == "1");
        Self::new(is_there, value(VARIABLE).as_deref(), value("NEXTEST_RUN_ID"))
    }

    fn new(is_there: bool, unit: Option<&str>, run: Option<String>) -> Result<Self, String> {
        match unit {
            None | Some("suite") if is_there => Ok(Self::Suite),
            Some("scenario") if is_there => Ok(Self::Scenario { run }),
            None | Some("suite" | "scenario") => Ok(Self::Absent),
            Some(other) => Err(format!("{VARIABLE}={other}: it is `suite` or `scenario`")),
        }
    }

    /// Whether each scenario runs in a process of its own, of which none sees what the others do.
    pub(super) fn is_by_scenario(&self) -> bool {
        matches!(self, Self::Scenario { .. })
    }

    /// The run of which this process runs one scenario.
    pub(super) fn part_of(&self) -> Option<&str> {
        match self {
            Self::Scenario { run } => run.as_deref(),
            Self::Absent | Self::Suite => None,
        }
    }

    /// The command line of this process. Where the suite is one test, what selects that test selects everything.
    pub(super) fn arguments(&self, suite: &Suite, arguments: &Arguments) -> Arguments {
        match self {
            Self::Suite if is_selected(suite, arguments) => arguments.of_everything(),
            Self::Suite => arguments.of_nothing(),
            Self::Absent | Self::Scenario { .. } => arguments.clone(),
        }
    }

    /// What `--list` prints.
    pub(super) fn list(
        &self,
        suite: &Suite,
        selection: &Selection,
        arguments: &Arguments,
    ) -> Vec<Listed> {
        match self {
            Self::Suite if is_selected(suite, arguments) => {
                vec![Listed { name: suite.name().to_owned(), ignored: None }]
            }
            Self::Suite => Vec::new(),
            Self::Absent | Self::Scenario { .. } => selection.list(),
        }
    }
}

/// Whether a suite that is one test is selected.
fn is_selected(suite: &Suite, arguments: &Arguments) -> bool {
    !arguments.ignored && arguments.selects(suite.name()) && !arguments.skips(suite.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_is_one_test_unless_scenarios_are_wanted() {
        let of = |is_there, unit| Nextest::new(is_there, unit, Some("7".to_owned()));
        assert_eq!(of(true, None), Ok(Nextest::Suite));
        assert_eq!(of(true, Some("suite")), Ok(Nextest::Suite));
        assert_eq!(of(false, None), Ok(Nextest::Absent));
        assert_eq!(of(false, Some("scenario")), Ok(Nextest::Absent), "without nextest");
        let by_scenario = of(true, Some("scenario")).unwrap();
        assert_eq!(by_scenario.part_of(), Some("7"));
        let message = of(true, Some("scenarios")).unwrap_err();
        assert_eq!(message, "LAGO_NEXTEST=scenarios: it is `suite` or `scenario`");
    }
}
