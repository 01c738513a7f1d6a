//! Collecting evidence of a failure within its limit, and saying so.

use std::path::PathBuf;
use std::time::Instant;

use super::limited::Limited;
use super::options::CollectEvidence;
use super::plan::ScenarioId;
use super::run::{Run, millis};
use crate::duration::spoken;
use crate::environment::Environment;
use crate::events::What;
use crate::evidence::{Evidence, Incident};
use crate::limits;
use crate::tell::tell;

impl Run {
    /// Collects what can be known of an environment in which a scenario has failed, unless the user does without, and says
    /// where it is, from the prefix. Nothing that goes wrong here goes any further.
    pub(super) fn collect_evidence(
        &self,
        id: ScenarioId,
        environment: &Environment,
        incident: Incident,
    ) -> Option<PathBuf> {
        let files = self.files()?;
        if self.options.evidence == CollectEvidence::Never {
            return None;
        }
        let started = Instant::now();
        let (stage, scenario) = self.names(id);
        let directory = files.evidence(&stage, &scenario);
        let into = files.prefix.join(&directory);
        let limited = Limited {
            what: "collecting evidence",
            limit: limits::EVIDENCE,
            interrupts: Some(&self.interrupts),
            cut_off: || Ok(()),
        };
        let environment = environment.clone();
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
        self.event(What::EvidenceCollected { stage, scenario, took_ms, files: found, problems });
        Some(directory)
    }
}
