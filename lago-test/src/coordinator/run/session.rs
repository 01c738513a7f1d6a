//! What a run has once its first scenario is due: the prefix, taken for this run, and the event log.

use std::path::Path;

use super::super::interrupts::Interrupts;
use super::super::show::{Program, Shown};
use crate::events::{self, EventLog, Machine, Planned, What};
use crate::files::{self, Files, PrefixLock};
use crate::result::Failure;
use crate::suite::Suite;

/// A run that writes its events.
pub(in super::super) struct Session {
    pub(in super::super) files: Files,
    #[expect(dead_code, reason = "held for as long as the run uses the prefix")]
    lock: PrefixLock,
    log: EventLog,
    /// The first event that could not be written.
    lost: Option<String>,
}

/// The prefix's directory, taken for this run.
pub(in super::super) struct Claim {
    pub(in super::super) files: Files,
    lock: PrefixLock,
}

impl Claim {
    /// Waits for another run that uses the same prefix. `junit` is what the user says of the JUnit file.
    pub(in super::super) fn take(
        suite: &Suite,
        junit: Option<&Path>,
        interrupts: &Interrupts,
    ) -> Result<Self, Failure> {
        let files = Files::new(&workdir(suite)?, suite.name(), junit)?;
        let files = if suite.chosen_workdir().is_some() { files } else { files.merged() };
        let lock = files.lock(|| interrupts.signal().is_some())?;
        Ok(Self { files, lock })
    }
}

impl Session {
    /// Writes the first event.
    pub(in super::super) fn open(
        claim: Claim,
        suite: &Suite,
        program: &Program,
    ) -> Result<Self, Failure> {
        let Claim { files, lock } = claim;
        let log = files.clear_reports().and_then(|()| EventLog::create(&files.events()));
        let log = log.map_err(|error| {
            let message = format!("cannot write reports to {}", files.prefix.display());
            Failure::infrastructure(error.to_string()).context(message)
        })?;
        let mut session = Self { files, lock, log, lost: None };
        session.event(What::RunStarted {
            schema: events::SCHEMA,
            suite: suite.name().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            arguments: std::env::args_os()
                .map(|argument| argument.to_string_lossy().into_owned())
                .collect(),
            machine: Machine::this(),
            planned: program.shown.iter().map(planned).collect(),
        });
        Ok(session)
    }

    /// Writes an event. A run goes on without its events; that they are incomplete is said at its end.
    pub(super) fn event(&mut self, what: What) {
        if let Err(error) = self.log.write(what)
            && self.lost.is_none()
        {
            self.lost = Some(error.to_string());
        }
    }

    /// Why the events are incomplete, if they are.
    pub(super) fn lost(&self) -> Option<&str> {
        self.lost.as_deref()
    }
}

fn workdir(suite: &Suite) -> Result<std::path::PathBuf, Failure> {
    let chosen = suite
        .chosen_workdir()
        .map_or_else(|| files::default_workdir(suite.name()), Path::to_path_buf);
    std::path::absolute(&chosen).map_err(|error| {
        let message = format!("cannot find the workdir {}", chosen.display());
        Failure::infrastructure(error.to_string()).context(message)
    })
}

fn planned(shown: &Shown) -> Planned {
    Planned {
        stage: shown.stage.clone(),
        scenario: shown.scenario.clone(),
        prerequisite: shown.is_prerequisite(),
    }
}
