//! A lane on a fork: made when its first scenario is due, gone when its last one has run.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use tracing::Span;

use super::super::limited::Limited;
use super::super::plan::State;
use super::super::run::{Run, millis};
use super::super::saved::Saved;
use super::super::work::ON_FORK;
use super::states::limited;
use super::{Lane, consoles};
use crate::duration::spoken;
use crate::environment::Environment;
use crate::events::What;
use crate::limits;
use crate::outcome::{Class, Outcome};
use crate::result::Failure;
use crate::tell::tell;

/// What a fork is made of.
#[derive(Debug, Clone)]
pub(super) struct Fork {
    /// Its name: the stage that runs on it first.
    name: String,
    /// The state that it starts in.
    base: State,
    /// The environment that has the state; none when the suite has no environment.
    origin: Option<Environment>,
    path: PathBuf,
}

/// An environment and those of its states that can be forked.
#[derive(Debug, Clone)]
pub(in super::super) struct Origin {
    pub(super) environment: Option<Environment>,
    pub(super) saved: Saved,
}

impl Origin {
    /// The names of the states that can be forked.
    pub(in super::super) fn saved_names(&self) -> Vec<String> {
        self.saved.names_there()
    }
}

/// Whether something has failed in a lane.
#[derive(Debug, Clone, Copy, Default)]
pub(in super::super) struct Failures {
    /// Known failures that are tolerated too.
    at_all: bool,
    /// So that the run has failed.
    in_the_run: bool,
}

impl Failures {
    /// Takes note of how a scenario ended.
    pub(in super::super) fn count(&mut self, outcome: &Outcome) {
        self.at_all |= outcome.is_failure();
        self.in_the_run |= outcome.is_failure() && outcome.class() != Class::Tolerated;
    }
}

/// What a lane that has ended leaves running, and how to look into it.
pub(in super::super) type Left = Vec<String>;

impl Lane {
    /// A lane on a fork for a stage and what stands on it. The fork itself is made when it is needed.
    pub(in super::super) fn fork(run: Arc<Run>, origin: Origin, stage: usize) -> Self {
        let name = run.suite.stages()[stage].name().to_owned();
        let base = run.plan.start(stage).unwrap_or(State::Start);
        let path = run.files().map(|files| files.fork(&name)).unwrap_or_default();
        let saved = origin.saved.for_fork(base);
        let fork = Some(Fork { name, base, origin: origin.environment, path });
        Self { fork, at: None, ..Self::new(run, None, saved) }
    }

    /// The fork's name; none on the prefix itself.
    pub(super) fn fork_name(&self) -> Option<String> {
        self.fork.as_ref().map(|fork| fork.name.clone())
    }

    /// In which everything happens that this lane does.
    pub(in super::super) fn span(&self) -> Span {
        match &self.fork {
            None => Span::none(),
            Some(fork) => tracing::info_span!(ON_FORK, fork = fork.name),
        }
    }

    /// Makes the fork, if this lane is on one that has not been made.
    pub(super) fn make_fork(&mut self) -> Result<(), Failure> {
        let Some(fork) = self.fork.clone().filter(|_| self.environment.is_none()) else {
            return Ok(());
        };
        let Some(origin) = fork.origin.clone() else { return Ok(()) };
        let state = self.saved.name(fork.base).to_owned();
        if !self.saved.has(fork.base) {
            return Err(Failure::infrastructure(format!(
                "the state `{state}` cannot be forked: it was not saved; events.jsonl says why"
            )));
        }
        let started = Instant::now();
        let what = format!("forking the state `{state}` for stage `{}`", fork.name);
        let (from, path) = (state.clone(), fork.path.clone());
        let forked = origin.clone();
        let environment = limited(&what, &origin, move || forked.fork(&from, &path))
            .map_err(|failure| failure.without_location().context(format!("{what} failed")))?;
        self.consoles = consoles::watch(&self.run.suite, Some(&environment));
        self.environment = Some(environment);
        self.at = Some(fork.base);
        self.made_of = self.saved.made_of(fork.base);
        tell(format_args!(
            "stage `{}` runs on a fork of `{state}`, made in {}",
            fork.name,
            spoken(started.elapsed())
        ));
        let took_ms = millis(started.elapsed());
        self.run.event(What::ForkStarted { fork: fork.name, state, path: fork.path, took_ms });
        Ok(())
    }

    /// Ends a lane on a fork: removes the fork, or keeps it if that is wanted.
    pub(in super::super) fn leave_fork(mut self, failures: Failures) -> Result<Left, Failure> {
        self.leave();
        let (Some(fork), Some(environment)) = (self.fork.take(), self.environment.take()) else {
            return Ok(Vec::new());
        };
        let name = fork.name;
        if let Some(reason) = self.run.options.keep.goes_on(self.run.result(failures.in_the_run)) {
            self.run.event(What::ForkEnded { fork: name.clone(), kept: Some(reason.to_owned()) });
            return Ok(vec![
                format!("the fork of stage `{name}` stays ({reason}):"),
                environment.how_to_look(),
            ]);
        }
        let files = self.run.files().filter(|_| failures.at_all);
        // Consoles are a help, no result: that they could not be kept changes nothing.
        let _ = files.map(|files| environment.keep_logs(&files.fork_logs(&name)));
        let what = format!("removing the fork of stage `{name}`");
        let limited =
            Limited { what: &what, limit: limits::TEAR_DOWN, interrupts: None, cut_off: || Ok(()) };
        let by_hand = environment.how_to_remove();
        limited.run(move || environment.destroy()).map_err(|failure| {
            failure
                .context(format!("the fork of stage `{name}` is left; remove it with `{by_hand}`"))
        })?;
        self.run.event(What::ForkEnded { fork: name, kept: None });
        Ok(Vec::new())
    }
}
