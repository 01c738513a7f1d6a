//! What the environment variables and the command line say about how scenarios run.

use std::env;

use libtest_mimic::Arguments;

use super::keep::Keep;
use super::plan::State;
use super::saved::START;
use crate::suite::Suite;

/// How many stages may run at the same time; `--test-threads` wins over it.
const JOBS: &str = "LAGO_JOBS";

/// The stage from whose saved state a run starts, or `start`.
pub(super) const FROM: &str = "LAGO_FROM";

/// How often each selected scenario runs.
const REPEAT: &str = "LAGO_REPEAT";

/// How a run goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options {
    /// How many stages may run at the same time.
    pub(super) jobs: usize,
    /// Where the run starts, if that was said.
    pub(super) from: Option<From>,
    /// How often each selected scenario runs.
    pub(super) repeat: u32,
    /// What stays after the run.
    pub(super) keep: Keep,
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
        let (jobs, from, repeat, keep) =
            (jobs(arguments), from(suite), repeat(), Keep::from_environment());
        match (jobs, from, repeat, keep) {
            (Ok(jobs), Ok(from), Ok(repeat), Ok(keep)) => Ok(Self { jobs, from, repeat, keep }),
            (jobs, from, repeat, keep) => Err([jobs.err(), from.err(), repeat.err(), keep.err()]
                .into_iter()
                .flatten()
                .collect()),
        }
    }
}

fn jobs(arguments: &Arguments) -> Result<usize, String> {
    match arguments.test_threads {
        Some(0) => Err("--test-threads 0: at least one is needed".to_owned()),
        Some(threads) => Ok(threads),
        None => Ok(number(JOBS)?.unwrap_or(1).try_into().unwrap_or(usize::MAX)),
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

/// A variable's value, unless it is empty.
fn value(variable: &str) -> Result<Option<String>, String> {
    match env::var(variable) {
        Ok(text) if text.is_empty() => Ok(None),
        Ok(text) => Ok(Some(text)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(error) => Err(format!("{variable}: {error}")),
    }
}
