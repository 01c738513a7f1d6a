//! What the environment variables and the command line say about how scenarios run.

use std::env;
use std::path::PathBuf;

use libtest_mimic::FormatSetting;

use super::arguments::Arguments;
use super::keep::Keep;
use super::plan::State;
use super::saved::START;
use super::terminal;
use crate::suite::Suite;

/// How many stages may run at the same time; `--test-threads` wins over it.
const JOBS: &str = "LAGO_JOBS";

/// As [`JOBS`], which wins over it: libtest's own variable.
const THREADS: &str = "RUST_TEST_THREADS";

/// As `--no-capture`, unless it is 0: libtest's own variable.
const NO_CAPTURE: &str = "RUST_TEST_NOCAPTURE";

/// The stage from whose saved state a run starts, or `start`.
pub(super) const FROM: &str = "LAGO_FROM";

/// How often each selected scenario runs.
const REPEAT: &str = "LAGO_REPEAT";

/// Whether a failure of a scenario that is known to be unstable is tolerated.
const TOLERATE_UNSTABLE: &str = "LAGO_TOLERATE_UNSTABLE";

/// Whether evidence is collected after failures.
const EVIDENCE: &str = "LAGO_EVIDENCE";

/// What is done after a failure: `shell`.
const ON_FAILURE: &str = "LAGO_ON_FAILURE";

/// When a capsule is saved: `on-failure`.
const CAPSULE: &str = "LAGO_CAPSULE";

/// Where the JUnit file goes; `--junitxml-file` wins over it.
const JUNITXML_FILE: &str = "LAGO_JUNITXML_FILE";

/// How a run goes.
#[derive(Debug, Clone)]
pub(super) struct Options {
    /// How many stages may run at the same time.
    pub(super) jobs: usize,
    /// Where the run starts, if that was said.
    pub(super) from: Option<From>,
    /// How often each selected scenario runs.
    pub(super) repeat: u32,
    /// What stays after the run.
    pub(super) keep: Keep,
    /// Whether the run can pass with failures of scenarios that are known to be unstable.
    pub(super) tolerates_unstable: bool,
    /// When evidence is collected.
    pub(super) evidence: CollectEvidence,
    /// Whether no further scenario starts after a failure.
    pub(super) fail_fast: bool,
    /// Where output is printed as it comes, if it is.
    pub(super) live: Option<Live>,
    /// Whether the output of scenarios that passed is printed too.
    pub(super) show_output: bool,
    /// Where the user wants the `JUnit` file, if that was said.
    pub(super) junit_file: Option<PathBuf>,
    /// When an environment is packed into a capsule.
    pub(super) capsules: Capsules,
    /// What else is done after a failure.
    pub(super) on_failure: OnFailure,
}

/// When an environment is packed into a capsule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Capsules {
    #[default]
    Never,
    /// When a scenario has failed in it.
    OnFailure,
}

/// What is done after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum OnFailure {
    /// The run goes on.
    #[default]
    GoOn,
    /// A shell is opened for whoever is at the terminal.
    Shell {
        /// Why there can be none, if there cannot.
        obstacle: Option<&'static str>,
    },
}

/// Where output is printed as it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Live {
    Stdout,
    /// Standard output belongs to the JSON.
    Stderr,
}

/// When evidence of the environment is collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum CollectEvidence {
    /// Right after a scenario has failed.
    #[default]
    OnFailure,
    Never,
}

/// Where a run starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// In a new environment, whatever has been saved.
    Start,
    /// In the saved state at the end of this stage.
    Stage(usize),
}

impl From {
    /// The saved state, if it is to be one.
    pub(super) fn state(self) -> Option<State> {
        match self {
            Self::Start => None,
            Self::Stage(stage) => Some(State::After(stage)),
        }
    }
}

impl Options {
    /// What is said, or everything that is wrong with it.
    pub(super) fn read(suite: &Suite, arguments: &Arguments) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let options = Self {
            jobs: or_note(jobs(arguments), &mut problems),
            from: or_note(from(suite), &mut problems),
            repeat: or_note(repeat(), &mut problems),
            keep: or_note(Keep::from_environment(), &mut problems),
            tolerates_unstable: or_note(switch(TOLERATE_UNSTABLE), &mut problems),
            evidence: or_note(evidence(), &mut problems),
            fail_fast: arguments.fail_fast,
            live: live(arguments),
            show_output: arguments.show_output,
            junit_file: arguments.junitxml_file.clone().or_else(junit_file),
            capsules: or_note(capsules(), &mut problems),
            on_failure: or_note(on_failure(), &mut problems),
        };
        if problems.is_empty() { Ok(options) } else { Err(problems) }
    }
}

fn or_note<T: Default>(read: Result<T, String>, problems: &mut Vec<String>) -> T {
    read.unwrap_or_else(|problem| {
        problems.push(problem);
        T::default()
    })
}

/// What the user says of the place of the JUnit file.
fn junit_file() -> Option<PathBuf> {
    env::var_os(JUNITXML_FILE).filter(|path| !path.is_empty()).map(PathBuf::from)
}

fn jobs(arguments: &Arguments) -> Result<usize, String> {
    if let Some(threads) = arguments.test_threads {
        return Ok(threads);
    }
    let jobs = match number(JOBS)? {
        None => number(THREADS)?,
        jobs => jobs,
    };
    Ok(jobs.unwrap_or(1).try_into().unwrap_or(usize::MAX))
}

fn live(arguments: &Arguments) -> Option<Live> {
    let is_wanted = || env::var_os(NO_CAPTURE).is_some_and(|value| value != "0");
    let stream = match arguments.format() {
        FormatSetting::Json => Live::Stderr,
        FormatSetting::Pretty | FormatSetting::Terse => Live::Stdout,
    };
    (arguments.no_capture || is_wanted()).then_some(stream)
}

fn capsules() -> Result<Capsules, String> {
    match value(CAPSULE)?.as_deref() {
        None | Some("never") => Ok(Capsules::Never),
        Some("on-failure") => Ok(Capsules::OnFailure),
        Some(other) => Err(format!("{CAPSULE}={other}: it is `on-failure` or `never`")),
    }
}

fn on_failure() -> Result<OnFailure, String> {
    match value(ON_FAILURE)?.as_deref() {
        None | Some("go-on") => Ok(OnFailure::GoOn),
        // What the terminal is has to be seen before the live view is on it.
        Some("shell") => Ok(OnFailure::Shell { obstacle: terminal::obstacle() }),
        Some(other) => Err(format!("{ON_FAILURE}={other}: it is `shell` or `go-on`")),
    }
}

fn repeat() -> Result<u32, String> {
    Ok(number(REPEAT)?.unwrap_or(1))
}

fn from(suite: &Suite) -> Result<Option<From>, String> {
    let Some(name) = value(FROM)? else { return Ok(None) };
    if name == START {
        return Ok(Some(From::Start));
    }
    let names: Vec<_> = suite.stages().iter().map(crate::Stage::name).collect();
    match names.iter().position(|known| *known == name) {
        None => Err(format!(
            "{FROM}={name}: there is no such stage; there are {}, and `{START}` for a new environment",
            names.join(", ")
        )),
        Some(_) if suite.environment().is_none() => {
            Err(format!("{FROM}={name}: the suite has no init file, so no state is ever saved"))
        }
        Some(stage) if suite.stages()[stage].list().is_empty() => Err(format!(
            "{FROM}={name}: the stage has no scenarios, so its end is no state of its own"
        )),
        Some(stage) => Ok(Some(From::Stage(stage))),
    }
}

/// A number from 1 on.
fn number(variable: &str) -> Result<Option<u32>, String> {
    value(variable)?
        .map(|text| match text.parse() {
            Ok(0) | Err(_) => Err(format!("{variable}={text}: it is a number from 1 on")),
            Ok(number) => Ok(number),
        })
        .transpose()
}

/// Whether evidence is wanted: after failures, unless the user says `never`.
fn evidence() -> Result<CollectEvidence, String> {
    match value(EVIDENCE)?.as_deref() {
        None | Some("failure") => Ok(CollectEvidence::OnFailure),
        Some("never") => Ok(CollectEvidence::Never),
        Some(other) => Err(format!("{EVIDENCE}={other}: it is `failure` or `never`")),
    }
}

/// A variable that is `1` or `0`; without it, the same as `0`.
fn switch(variable: &str) -> Result<bool, String> {
    match value(variable)?.as_deref() {
        None | Some("0") => Ok(false),
        Some("1") => Ok(true),
        Some(other) => Err(format!("{variable}={other}: it is `1` or `0`")),
    }
}

/// A variable's value, unless it is empty.
fn value(variable: &str) -> Result<Option<String>, String> {
    match env::var(variable) {
        Ok(text) if text.is_empty() => Ok(None),
        Ok(text) => Ok(Some(text)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(error) => Err(format!("{variable}: {error}")),
    }
}
