//! The consoles of a lane's environment: watched while a scenario runs, and looked at in between.

use super::super::plan::ScenarioId;
use super::Lane;
use crate::console_watch::{Allowed, ConsoleWatch, Patterns};
use crate::environment::Environment;
use crate::outcome::Outcome;
use crate::suite::Suite;
use crate::tell::tell;

/// Watches the consoles of an environment, if there is one, from now on.
pub(super) fn watch(suite: &Suite, environment: Option<&Environment>) -> Option<ConsoleWatch> {
    Some(ConsoleWatch::new(Patterns::new(suite.console()), environment?.vms()))
}

/// Says that a guest has printed more than is looked at.
fn tell_left_out(vm: &str, bytes: u64) {
    // The line with a scenario's name may not have ended yet.
    tell(format_args!(
        "\nVM {vm} prints so much on its console that {bytes} bytes of it were not looked at"
    ));
}

impl Lane {
    /// Leaves out what the consoles have said until now: it belongs to what is over.
    pub(super) fn skip_consoles(&mut self) {
        self.trouble = None;
        if let Some(consoles) = &mut self.consoles {
            consoles.skip();
        }
    }

    /// Notes trouble that a console has told of since the last scenario. `next` is the scenario that comes now, if one
    /// does.
    pub(super) fn look_at_consoles(&mut self, next: Option<ScenarioId>) {
        if self.trouble.is_none() {
            let allowed = self.allowed(self.last.into_iter().chain(next));
            self.trouble =
                self.consoles.as_mut().and_then(|it| it.find_up_to_now(&allowed, tell_left_out));
        }
    }

    /// The outcome of a scenario that finds its environment in trouble.
    pub(super) fn outcome_of_trouble(&mut self) -> Option<Outcome> {
        let trouble = self.trouble.take()?;
        let failure = trouble.into_failure().context("a VM was in trouble before this began");
        Some(Outcome::Failed { failure })
    }

    /// The outcome of a scenario that has ended, with what the consoles have to say to it.
    pub(super) fn with_consoles(&mut self, outcome: Outcome, allowed: &Allowed) -> Outcome {
        let consoles = self.consoles.as_mut();
        match consoles.and_then(|it| it.find_to_the_end(allowed, tell_left_out)) {
            Some(finding) => finding.added_to(outcome),
            None => outcome,
        }
    }

    /// What consoles may say while these scenarios run.
    pub(super) fn allowed(&self, scenarios: impl IntoIterator<Item = ScenarioId>) -> Allowed {
        let suite = &self.run.suite;
        let of_scenarios = scenarios.into_iter().flat_map(|id| {
            let stage = &suite.stages()[id.stage];
            [stage.console(), stage.list()[id.scenario].console()]
        });
        Allowed::by(std::iter::once(suite.console()).chain(of_scenarios))
    }
}
