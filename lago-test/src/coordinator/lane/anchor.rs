//! Coming back to the state that a scenario found, to run it once more.

use std::fs::OpenOptions;
use std::io::Write as _;

use super::super::plan::{ScenarioId, State};
use super::super::run::millis;
use super::Lane;
use super::states::limited;
use crate::events::What;
use crate::result::Failure;
use crate::tell::tell;

/// A state to come back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Anchor {
    pub(super) state: State,
    /// Whether it was saved for this.
    is_new: bool,
}

impl Lane {
    /// The state that the environment is in, saved.
    pub(super) fn anchor(&mut self, id: ScenarioId) -> Result<Anchor, Failure> {
        let state = self.at.unwrap_or(State::Before(id));
        let is_new = self.environment.is_some() && !self.saved.has(state);
        if is_new && let Some(trouble) = &self.trouble {
            return Err(Failure::infrastructure(format!("a VM is in trouble: {trouble}")));
        }
        if is_new {
            let name = self.saved.name(state).to_owned();
            let took = self.save(state)?;
            let took_ms = millis(took);
            self.run.event(What::StateSaved { state: name, took_ms, fork: self.fork_name() });
        }
        self.at = Some(state);
        Ok(Anchor { state, is_new })
    }

    /// Puts the environment back. There is a new worker then, as the old one may hold on to anything.
    pub(super) fn return_to(&mut self, anchor: Anchor, stage: usize) -> Result<(), Failure> {
        if self.at != Some(anchor.state) {
            self.dismiss_worker();
        }
        self.go_to(anchor.state)?;
        self.within = Some(stage);
        Ok(())
    }

    /// Removes what was saved for coming back and is of no other use.
    pub(super) fn release(&mut self, anchor: Anchor) {
        let Some(environment) = self.environment.clone().filter(|_| anchor.is_new) else { return };
        let name = self.saved.name(anchor.state).to_owned();
        let what = format!("removing the state `{name}`");
        let removed = self.saved.take_back(anchor.state).and_then(|()| {
            let names = [name];
            let removing = environment.clone();
            limited(&what, &environment, move || removing.delete_snapshots(&names))
        });
        // It takes room and is in nobody's way.
        if let Err(failure) = removed {
            tell(format_args!("\n{what} failed: {}", failure.without_location()));
        }
    }

    /// Marks in a scenario's log where it begins once more.
    pub(super) fn mark(&self, id: ScenarioId, text: &str) {
        let Some(files) = self.run.files() else { return };
        let path = files.prefix.join(self.run.log(id));
        let log = OpenOptions::new().append(true).create(true).open(path);
        // A log that cannot be written to is told of by the worker.
        let _ = log.and_then(|mut log| writeln!(log, "---- {text} ----"));
    }
}
