//! An ordered group of scenarios that ends in a snapshot.

use std::time::Duration;

use crate::scenario::{IntoScenario, Scenario};

/// A part of a suite: scenarios in the order in which they run. It stands on the stage before it.
#[derive(Debug)]
pub struct Stage {
    name: String,
    scenarios: Vec<Scenario>,
    timeout: Option<Duration>,
}

impl Stage {
    /// A stage without scenarios. The name has letters, digits, `_` and `-`.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), scenarios: Vec::new(), timeout: None }
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

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn list(&self) -> &[Scenario] {
        &self.scenarios
    }

    pub(crate) fn limit(&self) -> Option<Duration> {
        self.timeout
    }
}
