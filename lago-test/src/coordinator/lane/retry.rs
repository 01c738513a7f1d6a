//! Running a scenario again when it has failed, each time from the state that it found the first time.

use std::time::Duration;

use super::super::plan::{ScenarioId, State};
use super::super::run::millis;
use super::Lane;
use super::anchor::Anchor;
use crate::events::{OutputPart, What};
use crate::outcome::Outcome;
use crate::report::console;
use crate::result::Failure;
use crate::tell::tell;

/// What is known after one try.
struct Tried {
    outcome: Outcome,
    took: Option<Duration>,
    output: Option<OutputPart>,
}

impl Lane {
    /// Runs a scenario until it passes, at most `tries` times.
    pub(super) fn try_up_to(&mut self, tries: u32, id: ScenarioId) -> (Outcome, Option<Duration>) {
        let anchor = self.anchor(id).inspect_err(|failure| self.cannot_come_back(id, failure));
        let mut took = None;
        let mut outcomes = Vec::new();
        let mut given_up = None;
        for attempt in 1..=tries {
            let tried = self.try_once(id, attempt, tries);
            took = tried.took.map(|ran| took.unwrap_or_default() + ran).or(took);
            let has_failed = tried.outcome.is_failure();
            let is_interrupted = self.run.interrupts.signal().is_some();
            if attempt > 1 && has_failed && is_interrupted {
                // It was cut short, which says nothing about it.
                given_up = Some(Failure::infrastructure("the run was interrupted"));
                break;
            }
            if has_failed || attempt > 1 {
                self.record(id, attempt, tries, &tried);
            }
            outcomes.push(tried.outcome);
            if !has_failed || is_interrupted || attempt == tries {
                break;
            }
            let why = console::on_one_line(&outcomes[outcomes.len() - 1]);
            let (stage, scenario) = self.run.names(id);
            // The line with the scenario's name has not ended yet.
            tell(format_args!("\n{stage}::{scenario} failed at try {attempt} of {tries}: {why}"));
            if let Err(failure) = self.come_back(id, anchor.as_ref()) {
                given_up = Some(failure);
                break;
            }
        }
        if let Ok(anchor) = anchor
            && !self.is_worth_keeping(anchor, &outcomes)
        {
            self.release(anchor);
        }
        (overall(outcomes, given_up.as_ref()), took)
    }

    fn try_once(&mut self, id: ScenarioId, attempt: u32, tries: u32) -> Tried {
        if attempt > 1 {
            self.mark(id, &format!("try {attempt} of {tries}"));
        }
        let offset = self.run.output_bytes(id);
        let (outcome, took) = self.run_once(id);
        let bytes = self.run.output_bytes(id).saturating_sub(offset);
        let output = (bytes > 0).then(|| OutputPart { path: self.run.log(id), offset, bytes });
        Tried { outcome, took, output }
    }

    fn record(&self, id: ScenarioId, attempt: u32, tries: u32, tried: &Tried) {
        let (stage, scenario) = self.run.names(id);
        self.run.event(What::ScenarioTried {
            stage,
            scenario,
            attempt,
            of: tries,
            outcome: tried.outcome.clone(),
            took_ms: tried.took.map_or(0, millis),
            output: tried.output.clone(),
        });
    }

    /// The scenario can only run once, which is of no account if it passes.
    fn cannot_come_back(&self, id: ScenarioId, failure: &Failure) {
        let state = self.saved.name(self.at.unwrap_or(State::Before(id))).to_owned();
        let reason = failure.to_string();
        self.run.event(What::StateNotSaved { state, reason });
    }

    /// Puts the environment back to where the scenario began.
    fn come_back(&mut self, id: ScenarioId, to: Result<&Anchor, &Failure>) -> Result<(), Failure> {
        let anchor = *to.map_err(|failure| {
            failure.clone().context("the state before it could not be saved").without_location()
        })?;
        self.return_to(anchor, id.stage).inspect_err(|_| self.run.stick())
    }

    /// Whether the state before a scenario is of use after it: to look into a failure, by running that one alone.
    fn is_worth_keeping(&self, anchor: Anchor, outcomes: &[Outcome]) -> bool {
        let has_failed = outcomes.iter().any(Outcome::is_failure);
        let is_for_later_runs = self.run.options.keep.keeps_states()
            && self.fork.is_none()
            && self.saved.made_of(anchor.state) == self.complete(anchor.state);
        self.run.plan.comes_back_to(anchor.state) || (has_failed && is_for_later_runs)
    }
}

/// What is said about a scenario that was tried so often. `given_up` is why it was not tried again.
fn overall(outcomes: Vec<Outcome>, given_up: Option<&Failure>) -> Outcome {
    let tries = outcomes.len();
    let last = outcomes.last().cloned().unwrap_or(Outcome::Passed);
    // A first try that passes, or is skipped, or was the only one.
    if tries <= 1 && given_up.is_none() {
        return last;
    }
    let first = outcomes.into_iter().next().unwrap_or(Outcome::Passed);
    match (last, given_up) {
        (Outcome::Passed, _) => Outcome::Flaky {
            attempt: u32::try_from(tries).unwrap_or(u32::MAX),
            failure: first.to_string(),
        },
        (_, Some(failure)) => {
            let reason = failure.clone().without_location().to_string().replace('\n', ";");
            let times = if tries == 1 { "once".to_owned() } else { format!("{tries} times") };
            first.with_note(&format!("tried {times}, and not again: {reason}"))
        }
        (last, None) if last.is_failure() => {
            first.with_note(&format!("failed in each of {tries} tries; this is the first"))
        }
        (last, None) => first.with_note(&format!("try {tries} is {}: {last}", last.word())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(message: &str) -> Outcome {
        Outcome::Failed { failure: Failure::new(message).without_location() }
    }

    #[test]
    fn the_first_failure_is_what_is_told() {
        let said = |outcomes| overall(outcomes, None).to_string();
        assert_eq!(
            said(vec![failed("no page"), failed("other")]),
            "no page (failed in each of 2 tries; this is the first)"
        );
        let skipped = Outcome::Skipped { reason: "no hosts".into() };
        assert_eq!(said(vec![failed("no page"), skipped]), "no page (try 2 is skipped: no hosts)");
    }

    #[test]
    fn a_pass_after_a_failure_is_flaky() {
        let expected = Outcome::Flaky { attempt: 3, failure: "no page".into() };
        assert_eq!(
            overall(vec![failed("no page"), failed("other"), Outcome::Passed], None),
            expected
        );
        assert_eq!(overall(vec![Outcome::Passed], None), Outcome::Passed);
    }

    #[test]
    fn a_try_that_could_not_be_made_is_no_pass() {
        let trouble = Failure::new("disk full").context("cannot go back").without_location();
        let outcome = overall(vec![failed("no page")], Some(&trouble));
        assert_eq!(
            outcome.to_string(),
            "no page (tried once, and not again: cannot go back;  caused by: disk full)"
        );
    }
}
