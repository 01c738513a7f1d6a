//! What a run has once its first scenario is due: the prefix, taken for this run, and the event log.

use std::io;
use std::path::Path;

use super::super::interrupts::Interrupts;
use super::super::options::Options;
use super::super::show::{Program, Shown};
use crate::events::{self, EarlierParts, EventLog, Machine, Planned, What};
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
    /// The run of which this process does a part.
    part_of: Option<String>,
    earlier_parts: Option<EarlierParts>,
}

impl Claim {
    /// Waits for another run that uses the same prefix. `part_of` is the run of which this process does a part.
    pub(in super::super) fn take(
        suite: &Suite,
        options: &Options,
        part_of: Option<&str>,
        interrupts: &Interrupts,
    ) -> Result<Self, Failure> {
        let files = Files::new(&workdir(suite)?, suite.name(), options.junit_file.as_deref())?;
        let files = if suite.chosen_workdir().is_some() { files } else { files.merged() };
        let lock = files.lock(|| interrupts.signal().is_some())?;
        let earlier_parts = earlier_parts(&files, part_of).map_err(|error| {
            let message = format!("cannot read what is in {}", files.prefix.display());
            Failure::infrastructure(error.to_string()).context(message)
        })?;
        let part = earlier_parts.map_or(1, |earlier| earlier.number + 1);
        let part_of = part_of.map(ToOwned::to_owned);
        Ok(Self { files: files.of_part(part), lock, part_of, earlier_parts })
    }

    /// The numbers that workers have had in earlier processes of the same run.
    pub(super) fn earlier_workers(&self) -> u32 {
        self.earlier_parts.map_or(0, |earlier| earlier.workers)
    }
}

impl Session {
    /// Writes the first event.
    pub(in super::super) fn open(
        claim: Claim,
        suite: &Suite,
        program: &Program,
    ) -> Result<Self, Failure> {
        let Claim { files, lock, part_of, earlier_parts: _ } = claim;
        let log = event_log(&files).map_err(|error| {
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
            part_of,
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

/// What other processes of the same run have recorded.
fn earlier_parts(files: &Files, part_of: Option<&str>) -> io::Result<Option<EarlierParts>> {
    files.bring_records_back()?;
    part_of.map_or(Ok(None), |part_of| EarlierParts::read(&files.events(), part_of))
}

/// A new log, or that of the processes of the same run that were there before.
fn event_log(files: &Files) -> io::Result<EventLog> {
    files.bring_records_back()?;
    if files.is_later_part() {
        files.make_directories()?;
        return EventLog::append(&files.events());
    }
    files.remove_reports()?;
    files.make_directories()?;
    EventLog::create(&files.events())
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
