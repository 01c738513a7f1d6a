//! Running a scenario several times from the same state, to see how often it fails.

use std::time::Duration;

use super::super::plan::ScenarioId;
use super::super::run::millis;
use super::Lane;
use crate::events::What;
use crate::outcome::Outcome;

impl Lane {
    /// Runs a scenario as often as the user wants, each time from the state that it finds the first time.
    pub(super) fn repeat(&mut self, id: ScenarioId) -> (Outcome, Option<Duration>) {
        let times = self.run.options.repeat;
        let anchor = match self.anchor(id) {
            Ok(anchor) => anchor,
            Err(failure) => {
                let failure = failure.without_location();
                let message = format!("the scenario cannot be repeated: {failure}");
                return (Outcome::Errored { message }, None);
            }
        };
        let mut took = None;
        let mut outcomes = Vec::new();
        for repetition in 1..=times {
            if let Err(failure) = self.return_to(anchor, id.stage) {
                self.run.stick();
                outcomes.push(Outcome::Errored { message: failure.to_string() });
                break;
            }
            self.mark(id, &format!("repetition {repetition} of {times}"));
            let (outcome, ran) = self.run_once(id);
            took = ran.map(|ran| took.unwrap_or_default() + ran).or(took);
            if self.run.interrupts.signal().is_some() && outcome.is_failure() {
                // That it was cut short says nothing about how often it fails.
                if !outcomes.iter().any(Outcome::is_failure) {
                    return (outcome, took);
                }
                break;
            }
            let (stage, scenario) = self.run.names(id);
            self.run.event(What::ScenarioRepeated {
                stage,
                scenario,
                repetition,
                of: times,
                outcome: outcome.clone(),
                took_ms: ran.map_or(0, millis),
            });
            outcomes.push(outcome);
            let is_skipped = matches!(outcomes.last(), Some(Outcome::Skipped { .. }));
            if is_skipped || self.run.interrupts.signal().is_some() {
                break;
            }
        }
        let is_cut_short = self.run.interrupts.signal().is_some()
            && outcomes.len() < times as usize
            && !outcomes.iter().any(Outcome::is_failure);
        if is_cut_short {
            let ran = outcomes.len();
            let message = format!("interrupted after {ran} of {times} times, none of which failed");
            return (Outcome::Errored { message }, took);
        }
        (overall(outcomes), took)
    }
}

/// What is said about a scenario that ran several times: the first failure, and how many there were.
fn overall(outcomes: Vec<Outcome>) -> Outcome {
    let times = outcomes.len();
    let failed = outcomes.iter().filter(|outcome| outcome.is_failure()).count();
    let first = outcomes.iter().position(Outcome::is_failure).unwrap_or(times.saturating_sub(1));
    let count = format!("failed {failed} of {times} times; repetition {}", first + 1);
    match outcomes.into_iter().nth(first) {
        Some(Outcome::Failed { failure }) => Outcome::Failed { failure: failure.context(count) },
        Some(outcome) if outcome.is_failure() => {
            Outcome::Errored { message: format!("{count}: {outcome}") }
        }
        Some(outcome) => outcome,
        None => Outcome::NotRun { reason: "it was to run no times".to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::Failure;

    #[test]
    fn one_failure_of_several_is_a_failure() {
        let failed = Outcome::Failed { failure: Failure::new("no page").without_location() };
        let hung = Outcome::TimedOut { limit_ms: 2000, note: None };
        let passed = Outcome::Passed;
        assert_eq!(overall(vec![passed.clone(), passed.clone()]), Outcome::Passed);

        let some = overall(vec![passed.clone(), failed, hung.clone(), passed.clone()]);
        let Outcome::Failed { failure } = &some else { panic!("{some:?}") };
        assert_eq!(failure.message(), "failed 2 of 4 times; repetition 2");
        assert_eq!(failure.causes(), ["no page"]);

        let message = overall(vec![hung, passed]).to_string();
        assert!(message.starts_with("failed 1 of 2 times; repetition 1: timed out"), "{message}");
    }
}
