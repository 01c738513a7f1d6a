//! What shells complete: verbs, options, and the names of what there is.

use std::env;
use std::ffi::OsString;

use clap_complete::engine::CompletionCandidate;
use clap_complete::{ArgValueCandidates, CompleteEnv};

use super::usage;
use crate::constants::CURRENT_LINK;
use crate::paths::Paths;
use crate::prefix::Record;
use crate::prefix::state::State;
use crate::workdir::Workdir;

/// The variable by which the scripts of `lago completion` ask.
pub(super) const VARIABLE: &str = "LAGO_COMPLETE";

/// Answers a shell that asks. Returns whether one did.
pub(super) fn answer(words: &[OsString]) -> Result<bool, clap::Error> {
    if env::var_os(VARIABLE).is_none() {
        return Ok(false);
    }
    let here = env::current_dir().ok();
    CompleteEnv::with_factory(usage::command)
        .var(VARIABLE)
        .try_complete(words.iter().cloned(), here.as_deref())
}

/// The VMs of the prefix that is meant without a word about it.
pub(super) fn vms() -> ArgValueCandidates {
    candidates(|| Some(Record::read(&prefix()?).ok()?.init_file.domains.keys().cloned().collect()))
}

/// The snapshots of that prefix.
pub(super) fn snapshots() -> ArgValueCandidates {
    candidates(|| Some(State::read(&prefix()?).ok()?.snapshots.keys().cloned().collect()))
}

/// The prefixes of the workdir around the current directory.
pub(super) fn prefixes() -> ArgValueCandidates {
    candidates(|| workdir()?.list().ok())
}

fn candidates(names: fn() -> Option<Vec<String>>) -> ArgValueCandidates {
    ArgValueCandidates::new(move || -> Vec<CompletionCandidate> {
        names().into_iter().flatten().map(CompletionCandidate::new).collect()
    })
}

fn workdir() -> Option<Workdir> {
    Workdir::find_upwards(&env::current_dir().ok()?).ok()
}

fn prefix() -> Option<Paths> {
    if let Some(path) = env::var_os("LAGO_PREFIX_PATH") {
        return Some(Paths::new(path));
    }
    let workdir = workdir()?;
    let name = env::var("LAGO_PREFIX_NAME").ok().filter(|name| name != CURRENT_LINK);
    Some(Paths::new(workdir.resolve(name.as_deref()).ok()?))
}
