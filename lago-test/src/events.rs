//! Everything that happens in a run, as it is written to `events.jsonl`: one JSON object a line, flushed as it happens.
//! Reports are functions of this file.

mod facts;
mod log;
mod merge;

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::outcome::Outcome;
pub use facts::{EnvironmentFacts, TemplateFacts, VmFacts};
pub use log::read;
pub(crate) use log::{EventLog, is_of_a_run, read_last_part};
pub(crate) use merge::EarlierParts;

/// The version of these events; it changes when a reader of the old ones would misread the new.
pub const SCHEMA: u32 = 1;

/// One line of `events.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When it happened.
    pub at: DateTime<Utc>,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// The first line: who runs what. Everything in `planned` that has no `scenario_finished` later did not run.
    RunStarted {
        /// [`SCHEMA`].
        schema: u32,
        /// The suite's name.
        suite: String,
        /// The version of this crate.
        version: String,
        /// The coordinator's process.
        pid: u32,
        /// Its command line.
        arguments: Vec<String>,
        /// The run of `cargo nextest` of which this process runs one scenario. The file goes on with what other processes
        /// of the same run do, each from a `run_started` on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        part_of: Option<String>,
        /// Where it runs.
        machine: Machine,
        /// What is going to run, in order.
        planned: Vec<Planned>,
    },
    /// The environment is being brought up.
    EnvironmentStarting,
    /// What the environment is made of and what it runs on.
    EnvironmentFacts(EnvironmentFacts),
    /// A part of the work on the environment has ended, well or not: a VM was powered on, a guest was waited for, the
    /// memory of a VM was written.
    WorkEnded {
        /// The work, as lago names it: `start`, `wait for ssh`, `restore`, `compress`.
        work: String,
        /// The VM, when it was work on one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        vm: Option<String>,
        /// What it was done with, by name: a snapshot, a disk, a template.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<String>,
        /// When it began.
        began: DateTime<Utc>,
        /// How long it took, in milliseconds.
        took_ms: u64,
        /// The fork that it was done on; none when that was the prefix itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fork: Option<String>,
    },
    /// Scenarios can run.
    EnvironmentUp {
        /// How long it took, in milliseconds.
        took_ms: u64,
        /// Whether it came from the cache instead of booting.
        #[serde(default)]
        from_cache: bool,
    },
    /// No scenario can run.
    EnvironmentFailed {
        /// Why.
        reason: String,
    },
    /// The environment of an earlier run is used, with the states that it saved.
    EnvironmentReused {
        /// The states that scenarios start from.
        states: Vec<String>,
    },
    /// A worker process is ready.
    WorkerStarted {
        /// Its number, from 1.
        worker: u32,
        /// Its process.
        pid: u32,
        /// The fork on which it works; none when that is the prefix itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fork: Option<String>,
    },
    /// A worker process is gone.
    WorkerEnded {
        /// Its number.
        worker: u32,
        /// How: `exited with 0`, `killed by signal 9 (SIGKILL)`.
        how: String,
    },
    /// A state of the environment was saved, other than at the end of the stage that made it.
    StateSaved {
        /// Its name: `start`, `before.<stage>.<scenario>`, or a stage's name when a scenario that is repeated starts
        /// from that stage's end.
        state: String,
        /// How long it took, in milliseconds.
        took_ms: u64,
        /// The fork whose state it is; none when it is that of the prefix itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fork: Option<String>,
    },
    /// A state could not be saved; the run goes on without it.
    StateNotSaved {
        /// Its name.
        state: String,
        /// Why.
        reason: String,
    },
    /// The environment was put back into a saved state.
    StateRestored {
        /// Its name: `start`, a stage's name, or `before.<stage>.<scenario>`.
        state: String,
        /// How long it took, in milliseconds.
        took_ms: u64,
        /// The fork that was put back; none when that was the prefix itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fork: Option<String>,
    },
    /// A fork of the environment runs; a stage, and what stands on it, runs there.
    ForkStarted {
        /// Its name, which is that of the stage.
        fork: String,
        /// The state that it starts from.
        state: String,
        /// Its directory.
        path: PathBuf,
        /// How long it took, in milliseconds.
        took_ms: u64,
    },
    /// All that was to run on a fork has.
    ForkEnded {
        /// Its name.
        fork: String,
        /// Why it goes on running, if it does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kept: Option<String>,
    },
    /// A scenario starts in a worker.
    ScenarioStarted {
        /// Its stage.
        stage: String,
        /// Its name.
        scenario: String,
        /// The worker's number.
        worker: u32,
        /// The file that takes its output, from the prefix.
        log: PathBuf,
        /// The VMs that it names as parameters.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        vms: Vec<String>,
        /// Its limit, in milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit_ms: Option<u64>,
    },
    /// What the console of a VM showed while a scenario ran. There is none when it showed nothing.
    ConsoleOutput {
        /// The scenario's stage.
        stage: String,
        /// The scenario's name.
        scenario: String,
        /// The VM.
        vm: String,
        /// The console's log, from the prefix, or from the fork if there is one.
        log: PathBuf,
        /// Where in the log it begins, in bytes.
        from: u64,
        /// Where in the log it ends.
        to: u64,
        /// The fork that the VM belongs to; none when that is the prefix itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fork: Option<String>,
    },
    /// A scenario has run once, of several times.
    ScenarioRepeated {
        /// Its stage.
        stage: String,
        /// Its name.
        scenario: String,
        /// Which time this was, from 1.
        repetition: u32,
        /// How often it is to run.
        of: u32,
        /// How it ended this time.
        #[serde(flatten)]
        outcome: Outcome,
        /// How long it ran this time, in milliseconds.
        took_ms: u64,
    },
    /// A scenario that may be tried again has failed, or was tried again.
    ScenarioTried {
        /// Its stage.
        stage: String,
        /// Its name.
        scenario: String,
        /// Which try this was, from 1.
        attempt: u32,
        /// How many tries it has at most.
        of: u32,
        /// How this try ended.
        #[serde(flatten)]
        outcome: Outcome,
        /// How long this try ran, in milliseconds.
        took_ms: u64,
        /// The output of this try, unless there was none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<OutputPart>,
    },
    /// A scenario has ended, or will not run.
    ScenarioFinished {
        /// Its stage.
        stage: String,
        /// Its name.
        scenario: String,
        /// How it ended.
        #[serde(flatten)]
        outcome: Outcome,
        /// How long it ran, in milliseconds; 0 when it did not.
        took_ms: u64,
        /// Its output, unless there was none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<OutputFile>,
    },
    /// What could be known of the environment right after a scenario had failed was collected.
    EvidenceCollected {
        /// The scenario's stage.
        stage: String,
        /// Its name.
        scenario: String,
        /// How long it took, in milliseconds.
        took_ms: u64,
        /// The files, from the prefix; the first is a list of all, for people.
        files: Vec<PathBuf>,
        /// What could not be had, and why.
        problems: Vec<String>,
    },
    /// The environment of a scenario that has failed was packed into a capsule.
    CapsuleSaved {
        /// The scenario's stage.
        stage: String,
        /// The scenario's name.
        scenario: String,
        /// The capsule, from the prefix.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// How long it took, in milliseconds.
        took_ms: u64,
    },
    /// The environment of a scenario that has failed could not be packed.
    CapsuleNotSaved {
        /// The scenario's stage.
        stage: String,
        /// The scenario's name.
        scenario: String,
        /// Why.
        reason: String,
    },
    /// Somebody has been in the environment of a scenario that has failed, in a shell.
    ShellClosed {
        /// The scenario's stage.
        stage: String,
        /// The scenario's name.
        scenario: String,
        /// How long the shell was open, in milliseconds.
        took_ms: u64,
    },
    /// All of a stage has run.
    StageFinished {
        /// The stage.
        stage: String,
        /// Why its end state was not saved; none when it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_kept: Option<String>,
        /// How long saving it took, in milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        saving_ms: Option<u64>,
    },
    /// A signal asks the run to end.
    Interrupted {
        /// Its name.
        signal: String,
    },
    /// The environment was taken down.
    EnvironmentDiscarded,
    /// The environment was stopped; its saved states stay on disk.
    EnvironmentStopped {
        /// The states that are there.
        states: Vec<String>,
    },
    /// The environment goes on running.
    EnvironmentKept {
        /// Why.
        reason: String,
    },
    /// The environment could not be taken down.
    EnvironmentLeft {
        /// Why.
        reason: String,
    },
    /// The last line.
    RunFinished {
        /// How the run ended.
        result: RunResult,
        /// The coordinator's exit code.
        exit_code: u8,
    },
}

/// Where a run takes place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Its host name.
    pub hostname: String,
    /// Its kernel: `Linux 6.1.0-13-amd64 x86_64`.
    pub kernel: String,
}

impl Machine {
    /// This one.
    pub(crate) fn this() -> Self {
        let uname = rustix::system::uname();
        let text = |name: &std::ffi::CStr| name.to_string_lossy().into_owned();
        Self {
            hostname: text(uname.nodename()),
            kernel: format!(
                "{} {} {}",
                text(uname.sysname()),
                text(uname.release()),
                text(uname.machine())
            ),
        }
    }
}

/// A scenario that is going to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Its stage.
    pub stage: String,
    /// Its name.
    pub scenario: String,
    /// Whether it runs only because a selected one stands on it.
    pub prerequisite: bool,
}

/// A scenario's output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputFile {
    /// The file, from the prefix.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

/// A part of a scenario's output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputPart {
    /// The file, from the prefix.
    pub path: PathBuf,
    /// Where the part begins, in bytes.
    pub offset: u64,
    /// Its size.
    pub bytes: u64,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunResult {
    /// Nothing failed.
    Passed,
    /// A scenario failed.
    Failed,
    /// The environment failed.
    Infrastructure,
    /// A signal ended it.
    Interrupted,
}
