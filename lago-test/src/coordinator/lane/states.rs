//! Saving the state that a lane's environment is in, and putting it back into one.

use std::time::{Duration, Instant};

use super::super::limited::Limited;
use super::super::plan::State;
use super::super::run::millis;
use super::super::saved::full_names;
use super::Lane;
use crate::environment::Environment;
use crate::events::What;
use crate::limits;
use crate::result::Failure;

impl Lane {
    /// Puts the environment into a state, unless that is the one that it is in.
    pub(super) fn go_to(&mut self, state: State) -> Result<(), Failure> {
        if self.at == Some(state) {
            return Ok(());
        }
        self.at = None;
        self.within = None;
        if let Some(environment) = self.environment.clone() {
            self.restore(&environment, state)?;
        }
        self.at = Some(state);
        self.made_of = self.saved.made_of(state);
        Ok(())
    }

    fn restore(&mut self, environment: &Environment, state: State) -> Result<(), Failure> {
        let name = self.saved.name(state).to_owned();
        if !self.saved.has(state) {
            return Err(Failure::infrastructure(format!(
                "the environment cannot be put back into the state `{name}`: it was not saved; events.jsonl says why"
            )));
        }
        // What a worker holds on to, such as a connection into a guest, does not outlive the guest's state.
        self.dismiss_worker();
        let started = Instant::now();
        let what = format!("putting the environment back into the state `{name}`");
        let reverted = environment.clone();
        let wanted = name.clone();
        limited(&what, environment, move || reverted.revert(&wanted)).map_err(|failure| {
            failure.without_location().context(format!(
                "the environment cannot be put back into the state `{name}`; LAGO_FROM=start makes a new one"
            ))
        })?;
        self.skip_consoles();
        self.touched = false;
        let took_ms = millis(started.elapsed());
        self.run.event(What::StateRestored { state: name, took_ms, fork: self.fork_name() });
        Ok(())
    }

    /// Saves the state right after bring-up, if somebody can use it. The cache may have saved it already.
    pub(in super::super) fn save_start(&mut self) {
        let used =
            self.run.options.keep.keeps_states() || self.run.plan.comes_back_to(State::Start);
        if used && self.at == Some(State::Start) && !self.saved.has(State::Start) {
            self.save_and_say(State::Start);
        }
    }

    /// Saves a state for a later run of the same scenario, unless states do not stay.
    pub(super) fn save_for_later(&mut self, state: State) {
        let is_of_use = self.trouble.is_none()
            && self.run.options.keep.keeps_states()
            && self.fork.is_none()
            && self.made_of == self.complete(state);
        if is_of_use && self.environment.is_some() && !self.saved.has(state) {
            self.save_and_say(state);
        }
    }

    /// Saves the state at the end of a stage if somebody can use it, or says why not.
    pub(super) fn save_end(&mut self, stage: usize) -> Result<Duration, String> {
        let state = State::After(stage);
        let comes_back = self.run.plan.comes_back_to(state);
        if self.touched {
            return Err("somebody was in it, in a shell".to_owned());
        }
        if let Some(trouble) = &self.trouble {
            return Err(trouble.to_string());
        }
        let reason = if self.run.is_spoiled(stage) {
            "not all of it has run and passed"
        } else if self.at != Some(state) {
            "only a part of it was asked for"
        } else if self.environment.is_none() {
            "the suite has no environment"
        } else if self.saved.has(state) {
            "that of an earlier run stays"
        } else if comes_back {
            return self.save(state).map_err(|failure| failure.to_string());
        } else if self.made_of != self.complete(state) {
            "a part of what it stands on was left out"
        } else if self.fork.is_some() {
            "it ran on a fork, and nothing more starts from it there"
        } else if !self.run.options.keep.keeps_states() {
            "nothing more starts from it"
        } else if !self.run.shape.has_dependents(stage) {
            "no stage starts from it"
        } else {
            return self.save(state).map_err(|failure| failure.to_string());
        };
        Err(reason.to_owned())
    }

    /// The scenarios that a state is made of when none is left out.
    pub(super) fn complete(&self, state: State) -> Vec<String> {
        full_names(&self.run.suite, &self.run.shape.made_of(state))
    }

    /// Saves a state between stages; that it could not is no reason to end the run.
    fn save_and_say(&mut self, state: State) {
        let name = self.saved.name(state).to_owned();
        let what = match self.save(state) {
            Ok(took) => {
                What::StateSaved { state: name, took_ms: millis(took), fork: self.fork_name() }
            }
            Err(failure) => What::StateNotSaved { state: name, reason: failure.to_string() },
        };
        self.run.event(what);
    }

    /// Saves the state that the environment is in.
    pub(super) fn save(&mut self, state: State) -> Result<Duration, Failure> {
        let Some(environment) = self.environment.clone() else {
            return Err(Failure::infrastructure("the suite has no environment to save"));
        };
        let started = Instant::now();
        let name = self.saved.name(state).to_owned();
        let outdated = self.outdated(&environment, state)?;
        let what = format!("saving the state `{name}`");
        self.saved.remove(&outdated)?;
        let saving = environment.clone();
        limited(&what, &environment, move || {
            saving.delete_snapshots(&outdated)?;
            saving.snapshot(&name)
        })
        .map_err(Failure::without_location)?;
        self.saved.add(state, self.made_of.clone())?;
        self.at = Some(state);
        Ok(started.elapsed())
    }

    /// Snapshots of earlier runs that a new state takes the place of, each after those that stand on it.
    fn outdated(&self, environment: &Environment, state: State) -> Result<Vec<String>, Failure> {
        let takes_the_place_of = |name: &str| match (self.saved.by_name(name), state) {
            (Some(known), _) if self.saved.has(known) => false,
            (Some(known), _) if known == state => true,
            (Some(State::Before(id)), State::After(stage)) => id.stage == stage,
            _ => false,
        };
        let is_of_no_use =
            |name: &str| self.saved.by_name(name).is_some_and(|state| !self.saved.has(state));
        let mut outdated: Vec<String> = Vec::new();
        // A snapshot is listed after the one that it stands on.
        for snapshot in environment.snapshots()? {
            let stands_on_one = snapshot.parent.is_some_and(|parent| outdated.contains(&parent));
            if takes_the_place_of(&snapshot.name) || (stands_on_one && is_of_no_use(&snapshot.name))
            {
                outdated.push(snapshot.name);
            }
        }
        outdated.reverse();
        Ok(outdated)
    }
}

/// Does something with a state of an environment, within its limit. It is not interrupted: half of it would be of no use to anybody.
pub(super) fn limited<T: Send + 'static>(
    what: &str,
    environment: &Environment,
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let limit = limits::state(environment.slowest_state());
    Limited { what, limit, interrupts: None, cut_off: || Ok(()) }.run(work)
}
