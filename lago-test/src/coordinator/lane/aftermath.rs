//! What is done after a scenario has failed, while the environment is still as the scenario left it.

use std::path::PathBuf;
use std::time::Instant;

use super::super::limited::Limited;
use super::super::options::CollectEvidence;
use super::super::plan::ScenarioId;
use super::super::run::millis;
use super::super::selection::full_name;
use super::Lane;
use crate::duration::spoken;
use crate::events::What;
use crate::evidence::{Evidence, Incident};
use crate::limits;
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
        self.collect_evidence(id, outcome);
    }

    fn collect_evidence(&self, id: ScenarioId, outcome: &Outcome) {
        let (Some(environment), Some(files)) = (self.environment.clone(), self.run.files()) else {
            return;
        };
        if self.run.options.evidence == CollectEvidence::Never {
            return;
        }
        let started = Instant::now();
        let (stage, scenario) = self.run.names(id);
        let directory = files.evidence(&stage, &scenario);
        let into = files.prefix.join(&directory);
        let incident = self.incident(id, outcome, files.prefix.join(self.run.log(id)));
        let limited = Limited {
            what: "collecting evidence",
            limit: limits::EVIDENCE,
            interrupts: Some(&self.run.interrupts),
            cut_off: || Ok(()),
        };
        let collected = limited.run(move || incident.collect(&environment, &into));
        let Evidence { files: found, problems } = match collected {
            Ok(collected) => Evidence::of(collected, &directory),
            Err(failure) => Evidence::none(&failure.without_location()),
        };
        let took = started.elapsed();
        // The line with the scenario's name has not ended yet.
        tell(format_args!(
            "\nevidence of {stage}::{scenario}, collected in {}: {}",
            spoken(took),
            files.prefix.join(&directory).display()
        ));
        let took_ms = millis(took);
        self.run.event(What::EvidenceCollected {
            stage,
            scenario,
            took_ms,
            files: found,
            problems,
        });
    }

    fn incident(&self, id: ScenarioId, outcome: &Outcome, output: PathBuf) -> Incident {
        Incident {
            name: full_name(&self.run.suite, id),
            outcome: outcome.to_string(),
            output,
            consoles: self.scenario_consoles.clone(),
            stage_began: self.stage_began.map(|began| began.elapsed()),
        }
    }
}
