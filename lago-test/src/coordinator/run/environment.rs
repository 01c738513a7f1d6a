//! The environment of a run: made and started before the first scenario, discarded after the last.

use std::time::{Duration, Instant};

use super::super::limited::Limited;
use super::session::{Claim, Session};
use super::{Run, millis};
use crate::duration::spoken;
use crate::environment::Environment;
use crate::events::{RunResult, What};
use crate::files::Files;
use crate::limits;
use crate::result::Failure;

impl Run {
    /// Takes the prefix for this run, makes and starts the environment if the suite has one, and opens the event log.
    pub(super) fn bring_up(&mut self) -> Result<(), Failure> {
        let claim = Claim::take(&self.suite, &self.interrupts)?;
        let started = Instant::now();
        // The prefix is made in an empty directory, so what is written into it comes after.
        let made = self.make(claim.files.clone());
        self.session = Some(Session::open(claim, &self.suite, &self.steps)?);
        let up = made.and_then(|()| self.start());
        match up {
            Ok(()) => self.is_up(started.elapsed()),
            Err(failure) => return Err(self.is_not_up(failure)),
        }
        Ok(())
    }

    fn is_up(&mut self, took: Duration) {
        if let Some(environment) = &self.environment {
            eprintln!("the environment is up after {}{}", spoken(took), environment.whence());
            self.event(What::EnvironmentUp { took_ms: millis(took) });
        }
    }

    fn is_not_up(&mut self, failure: Failure) -> Failure {
        let failure = failure.without_location();
        self.event(What::EnvironmentFailed { reason: failure.to_string() });
        failure.context("the environment did not come up")
    }

    fn make(&mut self, files: Files) -> Result<(), Failure> {
        let limited = Limited {
            what: "making the environment",
            limit: self.suite.bring_up_limit(),
            interrupts: Some(&self.interrupts),
            cut_off: || Ok(()),
        };
        let suite_environment = self.suite.environment().zip(self.init_file.take());
        self.environment = limited.run(move || {
            Environment::discard_stale(&files.prefix)?;
            let Some((spec, init_file)) = suite_environment else { return Ok(None) };
            files.remove_reports()?;
            Environment::make(&spec, init_file, &files.prefix).map(Some)
        })?;
        let left = self.environment.as_ref().map(|environment| {
            let directory = environment.directory().display();
            format!(
                "the environment in {directory} is left; remove it with `{}`",
                environment.how_to_remove()
            )
        });
        self.interrupts.leaves_behind(left);
        Ok(())
    }

    fn start(&mut self) -> Result<(), Failure> {
        let Some(environment) = self.environment.clone() else { return Ok(()) };
        self.event(What::EnvironmentStarting);
        // The line with the first scenario's name has not ended yet.
        eprintln!("\nbringing up the environment in {}", environment.directory().display());
        let limited = Limited {
            what: "bringing the environment up",
            limit: self.suite.bring_up_limit(),
            interrupts: Some(&self.interrupts),
            cut_off: || environment.cut_off(),
        };
        let starting = environment.clone();
        self.environment = Some(limited.run(move || starting.start())?);
        Ok(())
    }

    /// Discards the environment, or keeps it if that is wanted. Says what stays, and why.
    pub(super) fn put_away(&mut self, result: RunResult) -> Result<Vec<String>, Failure> {
        let Some(environment) = self.environment.take() else { return Ok(Vec::new()) };
        if let Some(reason) = self.keep.reason(result) {
            self.event(What::EnvironmentKept { reason: reason.to_owned() });
            return Ok(vec![
                format!("the environment stays ({reason}); look into it, then remove it:"),
                environment.how_to_look(),
                environment.how_to_remove(),
            ]);
        }
        let limited = Limited {
            what: "taking the environment down",
            limit: limits::TEAR_DOWN,
            // Interrupted or not, this is what is left to do.
            interrupts: None,
            cut_off: || Ok(()),
        };
        let discarded = environment.clone();
        match limited.run(move || discarded.discard()) {
            Ok(()) => {
                self.interrupts.leaves_behind(None);
                self.event(What::EnvironmentDiscarded);
                Ok(Vec::new())
            }
            Err(failure) => {
                let reason = failure.to_string();
                self.event(What::EnvironmentLeft { reason });
                let command = environment.how_to_remove();
                Err(failure.context(format!("the environment is left; remove it with `{command}`")))
            }
        }
    }
}
