//! An ordered group of scenarios that starts from one state of the environment and leaves another.

use std::time::Duration;

use crate::console_watch::ConsoleRules;
use crate::scenario::{IntoScenario, Scenario};

/// A part of a suite: scenarios in the order in which they run. It starts from the state that another stage left: the
/// one declared before it, unless [`from`](Self::from) or [`from_start`](Self::from_start) says otherwise.
///
/// ```no_run
/// use lago_test::{Stage, Suite, scenarios};
///
/// # fn install() {}
/// # fn fetch_page() {}
/// # fn server_dies() {}
/// # fn other_ports() {}
/// Suite::new("web")
///     .init_file("LagoInitFile.yaml")
///     .stage(Stage::new("deploy").scenarios(scenarios![install]))
///     .stage(Stage::new("serve").scenarios(scenarios![fetch_page]))
///     .stage(Stage::new("failover").from("deploy").scenarios(scenarios![server_dies]))
///     .stage(Stage::new("bare").from_start().scenarios(scenarios![other_ports]))
/// # ;
/// ```
///
/// Here `serve` and `failover` both start from what `deploy` left: after `serve` the environment is put back to that
/// state, whether `serve` passed or not, or the two run at the same time, with `--test-threads 2`.
#[derive(Debug)]
pub struct Stage {
    name: String,
    base: Base,
    scenarios: Vec<Scenario>,
    timeout: Option<Duration>,
    console: ConsoleRules,
    retries: Option<u32>,
}

/// What a stage starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Base {
    /// What the stage declared before it left.
    Previous,
    /// The environment as it came up.
    Start,
    /// What the stage of this name left.
    Stage(String),
}

impl Stage {
    /// A stage without scenarios. The name has letters, digits, `_` and `-`; `start` is taken.
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            name,
            base: Base::Previous,
            scenarios: Vec::new(),
            timeout: None,
            console: ConsoleRules::default(),
            retries: None,
        }
    }

    /// Starts from the state that an earlier stage left, instead of the one right before this.
    pub fn from(mut self, stage: impl Into<String>) -> Self {
        self.base = Base::Stage(stage.into());
        self
    }

    /// Starts from the environment as it came up. It stands on no other stage.
    pub fn from_start(mut self) -> Self {
        self.base = Base::Start;
        self
    }

    /// Appends scenarios, as [`scenarios!`](crate::scenarios) makes them.
    pub fn scenarios(mut self, scenarios: impl IntoIterator<Item = Scenario>) -> Self {
        self.scenarios.extend(scenarios);
        self
    }

    /// Appends one scenario.
    pub fn scenario<S>(mut self, scenario: impl IntoScenario<S>) -> Self {
        self.scenarios.push(scenario.into_scenario());
        self
    }

    /// The limit of each of its scenarios that has none of its own.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Console lines that this regular expression finds are no failure while one of its scenarios runs:
    /// [`Suite::allow_console`](crate::Suite::allow_console).
    pub fn allow_console(mut self, expression: impl Into<String>) -> Self {
        self.console.allowed.push(expression.into());
        self
    }

    /// What [`Scenario::retries`] says of each of its scenarios that does not say it itself.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = Some(retries);
        self
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn console(&self) -> &ConsoleRules {
        &self.console
    }

    pub(crate) fn base(&self) -> &Base {
        &self.base
    }

    pub(crate) fn list(&self) -> &[Scenario] {
        &self.scenarios
    }

    /// Takes those scenarios out of which this says `false`; it is given the stage's name.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&str, &Scenario) -> bool) {
        let Self { name, scenarios, .. } = self;
        scenarios.retain(|scenario| keep(name, scenario));
    }

    pub(crate) fn limit(&self) -> Option<Duration> {
        self.timeout
    }

    pub(crate) fn chosen_retries(&self) -> Option<u32> {
        self.retries
    }
}
