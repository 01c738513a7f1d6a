//! What is done after a scenario has failed, while the environment is still as the scenario left it.

use std::path::PathBuf;

use super::super::options::CollectEvidence;
use super::super::plan::ScenarioId;
use super::super::selection::full_name;
use super::Lane;
use super::budget::{FAILURES, Share};
use crate::evidence::Incident;
use crate::outcome::Outcome;
use crate::tell::tell;

impl Lane {
    /// Looks at the environment of a scenario that has just failed. Its outcome is settled: nothing here changes it.
    ///
    /// Evidence comes first, as all that comes after it touches the environment more.
    pub(super) fn aftermath(&mut self, id: ScenarioId, outcome: &Outcome) {
        // Who has asked the run to end does not wait for this.
        if self.run.interrupts.signal().is_some() {
            return;
        }
        let evidence = self.evidence(id, outcome);
        let capsule = self.save_capsule(id, outcome, evidence.as_deref());
        self.open_shell(id, outcome, &[("evidence", evidence), ("capsule", capsule)]);
    }

    /// Collects evidence, unless there is enough of this scenario. Says where it is, from the prefix.
    fn evidence(&mut self, id: ScenarioId, outcome: &Outcome) -> Option<PathBuf> {
        let environment = self.environment.clone()?;
        if self.run.options.evidence == CollectEvidence::Never {
            return None;
        }
        match self.budget.share(id) {
            Share::Collected => {
                self.run.collect_evidence(id, &environment, self.incident(id, outcome))
            }
            Share::NoMore => {
                // The line with the scenario's name has not ended yet.
                tell(format_args!(
                    "\nno more evidence of {}: there is that of its first {FAILURES} failures",
                    full_name(&self.run.suite, id)
                ));
                None
            }
            Share::None => None,
        }
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
