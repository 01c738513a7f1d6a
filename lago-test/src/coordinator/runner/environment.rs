//! The environment of a run: made and started, or taken over from an earlier run, before the first scenario; put away
//! after the last.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

use lago::spec::InitFile;

use super::super::earlier::{Earlier, announcement};
use super::super::lane::Lane;
use super::super::limited::Limited;
use super::super::plan::State;
use super::super::run::{Claim, millis};
use super::super::saved::{self, START, Saved};
use super::{Lanes, Prepared, Runner};
use crate::duration::spoken;
use crate::environment::Environment;
use crate::events::{RunResult, What};
use crate::evidence::Incident;
use crate::files::Files;
use crate::limits;
use crate::result::Failure;
use crate::tell::tell;

impl Runner {
    /// Brings up what scenarios run against and opens the event log.
    pub(super) fn bring_up(&mut self, prepared: Prepared) -> Result<Lane, Failure> {
        let claim = prepared.claim?;
        match prepared.earlier {
            Some(earlier) => self.take_over(claim, earlier),
            None => self.make_anew(claim, prepared.init_file),
        }
    }

    /// Takes over the environment of an earlier run. It comes up when the first scenario needs one of its states.
    fn take_over(&mut self, claim: Claim, earlier: Earlier) -> Result<Lane, Failure> {
        let Earlier { environment, saved } = earlier;
        let forks = claim.files.forks();
        self.run.open(claim)?;
        self.states = saved.names_there();
        self.take_charge(environment.clone());
        // The line with the first scenario's name has not ended yet.
        tell(format_args!("\n{}", announcement(&saved, &self.run.plan, &self.run.executable)));
        let mut needed: Vec<_> = self.run.plan.needs().into_iter().collect();
        needed.sort_unstable();
        let states = needed.into_iter().map(|state| saved.name(state).to_owned()).collect();
        self.run.event(What::EnvironmentReused { states });
        self.limited("removing the forks of an earlier run", move || {
            Environment::discard_forks(&forks)
        })?;
        Ok(Lane::reopened(self.run.clone(), environment, saved))
    }

    /// Makes and starts the environment, if the suite has one, in the place of any earlier one.
    fn make_anew(&mut self, claim: Claim, init_file: Option<InitFile>) -> Result<Lane, Failure> {
        let started = Instant::now();
        let prefix = claim.files.prefix.clone();
        // The prefix is made in an empty directory, so what is written into it comes after.
        let made = self.make(claim.files.clone(), init_file);
        self.run.open(claim)?;
        made.and_then(|()| self.start()).map_err(|failure| self.is_not_up(failure))?;
        self.is_up(started.elapsed());
        let key = self.environment.as_ref().and_then(Environment::key);
        let mut saved = Saved::nothing(&self.run.suite, &self.run.shape).in_prefix(&prefix, key);
        if self.is_saved_by_the_cache()? {
            saved.add(State::Start, Vec::new())?;
        }
        let mut lane = Lane::new(self.run.clone(), self.environment.clone(), saved);
        lane.save_start();
        Ok(lane)
    }

    /// Whether the environment came up with a snapshot of the state that it is in.
    fn is_saved_by_the_cache(&self) -> Result<bool, Failure> {
        let Some(environment) = &self.environment else { return Ok(false) };
        Ok(environment.current_snapshot()?.is_some_and(|name| name == START))
    }

    fn is_up(&self, took: Duration) {
        if let Some(environment) = &self.environment {
            tell(format_args!(
                "the environment is up after {}{}",
                spoken(took),
                environment.whence()
            ));
            let from_cache = environment.is_from_cache();
            self.run.event(What::EnvironmentUp { took_ms: millis(took), from_cache });
        }
    }

    fn is_not_up(&self, failure: Failure) -> Failure {
        let failure = failure.without_location();
        self.run.event(What::EnvironmentFailed { reason: failure.to_string() });
        failure.context("the environment did not come up")
    }

    fn make(&mut self, files: Files, init_file: Option<InitFile>) -> Result<(), Failure> {
        let suite_environment = self.run.suite.environment().zip(init_file);
        Self::make_room(files.clone(), suite_environment.is_some())?;
        let Some((spec, init_file)) = suite_environment else { return Ok(()) };
        let environment = self.limited("making the environment", move || {
            Environment::make(&spec, init_file, &files.prefix)
        })?;
        self.take_charge(environment);
        Ok(())
    }

    /// Removes what an earlier run has left. Half of it is of no use to anybody, and what goes on with it after a signal
    /// would take the reports of this run away: so it is not interrupted.
    fn make_room(files: Files, has_environment: bool) -> Result<(), Failure> {
        let limited = Limited {
            what: "removing the environment of an earlier run",
            limit: limits::TEAR_DOWN,
            interrupts: None,
            cut_off: || Ok(()),
        };
        limited.run(move || {
            if files.is_later_part() {
                files.set_records_aside()?;
            }
            files.set_capsules_aside()?;
            Environment::discard_stale(&files.prefix)?;
            if has_environment {
                files.remove_reports()?;
            }
            Ok(())
        })
    }

    /// From now on this run puts the environment away, or says what there is to remove when it is left at once.
    fn take_charge(&mut self, environment: Environment) {
        self.run.interrupts.leaves_behind(Some(format!(
            "the environment in {} is left; remove it with `{}`",
            environment.directory().display(),
            environment.how_to_remove()
        )));
        self.gather_facts(environment.clone());
        self.environment = Some(environment);
    }

    /// Finds out beside the run what the environment is made of and what it runs on. A run that ends before goes without.
    fn gather_facts(&self, environment: Environment) {
        let Some(spec) = self.run.suite.environment() else { return };
        let works = self.run.works.clone();
        thread::spawn(move || works.report(What::EnvironmentFacts(environment.facts(&spec))));
    }

    fn limited<T: Send + 'static>(
        &self,
        what: &str,
        work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let limited = Limited {
            what,
            limit: self.run.suite.bring_up_limit(),
            interrupts: Some(&self.run.interrupts),
            cut_off: || Ok(()),
        };
        limited.run(work)
    }

    fn start(&mut self) -> Result<(), Failure> {
        let Some(environment) = self.environment.clone() else { return Ok(()) };
        self.run.event(What::EnvironmentStarting);
        // The line with the first scenario's name has not ended yet.
        let directory = environment.directory().display();
        tell(format_args!("\nbringing up the environment in {directory}"));
        let limit = self.run.suite.bring_up_limit();
        let looked = Cell::new(false);
        let look = |reason: String| {
            if !looked.replace(true) {
                self.look_at_failed_start(&environment, reason);
            }
        };
        let limited = Limited {
            what: "bringing the environment up",
            limit,
            interrupts: Some(&self.run.interrupts),
            cut_off: || {
                look(format!("it is not up after {}", spoken(limit)));
                environment.cut_off()
            },
        };
        let starting = environment.clone();
        let started = limited.run(move || starting.start());
        let started =
            started.inspect_err(|failure| look(failure.clone().without_location().to_string()))?;
        self.environment = Some(started);
        Ok(())
    }

    /// Collects evidence of an environment that did not come up, as that of the scenario that has to say so.
    fn look_at_failed_start(&self, environment: &Environment, reason: String) {
        let Some(first) = self.run.plan.steps().first() else { return };
        if self.run.interrupts.signal().is_some() {
            return;
        }
        let incident = Incident {
            what: "it had not come up".to_owned(),
            outcome: reason,
            output: None,
            consoles: Vec::new(),
            stage_began: None,
        };
        // A start from the cache may have left another prefix in the same directory.
        let found = Environment::open(environment.directory()).ok().flatten();
        self.run.collect_evidence(first.id, found.as_ref().unwrap_or(environment), incident);
    }

    /// Discards the environment, or keeps what is wanted of it. Says what stays, and why.
    pub(super) fn put_away(&mut self, result: RunResult) -> Result<Vec<String>, Failure> {
        let Some(environment) = self.environment.take() else { return Ok(Vec::new()) };
        let keep = self.run.options.keep;
        if let Some(reason) = keep.goes_on(result) {
            self.run.event(What::EnvironmentKept { reason: reason.to_owned() });
            return Ok(vec![
                format!("the environment stays ({reason}); look into it, then remove it:"),
                environment.how_to_look(),
                environment.how_to_remove(),
            ]);
        }
        let states = match &self.lanes {
            _ if !keep.keeps_states() => Vec::new(),
            Lanes::One(lane) => lane.saved_names(),
            Lanes::None | Lanes::Several(_) => std::mem::take(&mut self.states),
        };
        let ended = self.end(&environment, states);
        match &ended {
            Ok(_) => {
                self.run.interrupts.leaves_behind(None);
                // With the environment went its forks, whatever was to be said about them.
                self.left.clear();
                self.trouble = None;
            }
            Err(failure) => {
                self.run.event(What::EnvironmentLeft { reason: failure.to_string() });
            }
        }
        ended.map_err(|failure| {
            let command = environment.how_to_remove();
            failure.context(format!("the environment is left; remove it with `{command}`"))
        })
    }

    /// Stops the environment, and removes its disks too if it has no states that stay.
    fn end(&self, environment: &Environment, states: Vec<String>) -> Result<Vec<String>, Failure> {
        let limited = Limited {
            what: "taking the environment down",
            limit: limits::TEAR_DOWN,
            // Interrupted or not, this is what is left to do.
            interrupts: None,
            cut_off: || Ok(()),
        };
        let ending = environment.clone();
        if states.is_empty() {
            limited.run(move || ending.discard())?;
            saved::forget(environment.directory());
            self.run.event(What::EnvironmentDiscarded);
            return Ok(Vec::new());
        }
        let forks = self.run.files().map(|files| files.forks());
        limited.run(move || {
            // A lane that was lost has left its fork, and a removal that was given up may have left one.
            let removed = forks.map_or(Ok(()), |forks| Environment::discard_forks(&forks));
            ending.stop()?;
            removed
        })?;
        self.run.event(What::EnvironmentStopped { states });
        let command = environment.how_to_remove();
        Ok(vec![format!(
            "nothing runs; the saved states stay on disk; remove them with: {command}"
        )])
    }
}
