//! The capsule of a scenario that has failed: its environment in one file, for another machine or another day.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lago::capsule::{SaveOptions, Saved};

use super::super::limited::Limited;
use super::super::options::Capsules;
use super::super::plan::ScenarioId;
use super::super::run::millis;
use super::Lane;
use crate::duration::spoken;
use crate::events::What;
use crate::files::Files;
use crate::limits;
use crate::outcome::Outcome;
use crate::result::Failure;
use crate::tell::tell;

impl Lane {
    /// Packs the environment as a scenario has left it, if that is wanted, and says where the capsule is, from the prefix.
    /// Of one that fails several times in a run, the first failure counts.
    pub(super) fn save_capsule(
        &mut self,
        id: ScenarioId,
        outcome: &Outcome,
        evidence: Option<&Path>,
    ) -> Option<PathBuf> {
        if self.run.options.capsules == Capsules::Never || self.environment.is_none() {
            return None;
        }
        let files = self.run.files()?;
        if !self.packed.insert(id) {
            return None;
        }
        let (stage, scenario) = self.run.names(id);
        let path = Files::capsule(&stage, &scenario);
        match self.pack(id, outcome, &files, evidence) {
            Ok(Saved { bytes, took, .. }) => {
                // The line with the scenario's name has not ended yet.
                tell(format_args!(
                    "\nsaved the capsule of {stage}::{scenario} in {}",
                    spoken(took)
                ));
                let took_ms = millis(took);
                let saved = path.clone();
                self.run.event(What::CapsuleSaved { stage, scenario, path, bytes, took_ms });
                Some(saved)
            }
            Err(failure) => {
                let reason = failure.without_location().to_string();
                tell(format_args!("\nno capsule of {stage}::{scenario}: {reason}"));
                self.run.event(What::CapsuleNotSaved { stage, scenario, reason });
                None
            }
        }
    }

    fn pack(
        &self,
        id: ScenarioId,
        outcome: &Outcome,
        files: &Files,
        evidence: Option<&Path>,
    ) -> Result<Saved, Failure> {
        let Some(environment) = self.environment.clone() else {
            return Err(Failure::infrastructure("there is no environment"));
        };
        let (stage, scenario) = self.run.names(id);
        let file = files.prefix.join(Files::capsule(&stage, &scenario));
        let suite = self.run.suite.name();
        let stop = Arc::new(AtomicBool::new(false));
        let options = SaveOptions {
            reason: Some(format!("{stage}::{scenario} of the suite {suite}: {outcome}")),
            extra: self.what_a_fork_lacks(id, files, evidence),
            stop: Some(Arc::clone(&stop)),
            ..SaveOptions::default()
        };
        let limited = Limited {
            what: "saving the capsule",
            limit: limits::capsule(environment.slowest_state()),
            interrupts: Some(&self.run.interrupts),
            cut_off: || {
                stop.store(true, Ordering::Relaxed);
                Ok(())
            },
        };
        limited.run(move || environment.save_capsule(&file, &options))
    }

    /// What is recorded of a scenario lies in the prefix, also when the scenario runs on a fork.
    fn what_a_fork_lacks(
        &self,
        id: ScenarioId,
        files: &Files,
        evidence: Option<&Path>,
    ) -> Vec<(PathBuf, PathBuf)> {
        if self.fork.is_none() {
            return Vec::new();
        }
        let evidence = evidence.map(Path::to_path_buf);
        let recorded = [self.run.log(id), Files::events_in_prefix()].into_iter().chain(evidence);
        recorded.map(|path| (files.prefix.join(&path), path)).collect()
    }
}
