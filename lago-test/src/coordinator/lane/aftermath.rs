//! What is done after a scenario has failed, while the environment is still as the scenario left it.

use super::super::plan::ScenarioId;
use super::super::selection::full_name;
use super::Lane;
use crate::evidence::Incident;
use crate::outcome::Outcome;

impl Lane {
    /// Looks at the environment of a scenario that has just failed. Its outcome is settled: nothing here changes it.
    ///
    /// Evidence comes first, as all that comes after it touches the environment more.
    pub(super) fn aftermath(&mut self, id: ScenarioId, outcome: &Outcome) {
        // Who has asked the run to end does not wait for this.
        if self.run.interrupts.signal().is_some() {
            return;
        }
        let evidence = self.environment.as_ref().and_then(|environment| {
            self.run.collect_evidence(id, environment, self.incident(id, outcome))
        });
        let capsule = self.save_capsule(id, outcome, evidence.as_deref());
        self.open_shell(id, outcome, &[("evidence", evidence), ("capsule", capsule)]);
    }

    fn incident(&self, id: ScenarioId, outcome: &Outcome) -> Incident {
        let log = self.run.files().map(|files| files.prefix.join(self.run.log(id)));
        Incident {
            what: format!("{} had failed", full_name(&self.run.suite, id)),
            outcome: outcome.to_string(),
            output: log,
            consoles: self.scenario_consoles.clone(),
            stage_began: self.stage_began.map(|began| began.elapsed()),
        }
    }
}
