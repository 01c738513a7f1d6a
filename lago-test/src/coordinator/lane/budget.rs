//! How much evidence there is of one scenario: it may fail hundreds of times in a run, each time with tens of megabytes.

use std::collections::HashMap;

use super::super::plan::ScenarioId;

/// Of how many failures of one scenario evidence is collected in a run. What later ones leave is mostly the same.
pub(super) const FAILURES: u32 = 3;

/// How often scenarios have failed in a lane with evidence.
#[derive(Debug, Default)]
pub(super) struct Budget {
    failures: HashMap<ScenarioId, u32>,
}

/// What is to become of a failure's evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    Collected,
    /// The first time, to be told.
    NoMore,
    None,
}

impl Budget {
    /// Takes note of a failure.
    pub(super) fn share(&mut self, id: ScenarioId) -> Share {
        let failures = self.failures.entry(id).or_default();
        *failures = failures.saturating_add(1);
        match *failures {
            1..=FAILURES => Share::Collected,
            many if many == FAILURES + 1 => Share::NoMore,
            _ => Share::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failures_of_each_scenario_have_evidence() {
        let id = |scenario| ScenarioId { stage: 0, scenario };
        let mut budget = Budget::default();
        let shares: Vec<_> = (0..6).map(|_| budget.share(id(1))).collect();
        let (collected, none) = (Share::Collected, Share::None);
        assert_eq!(shares, [collected, collected, collected, Share::NoMore, none, none]);
        assert_eq!(budget.share(id(2)), collected);
    }
}
