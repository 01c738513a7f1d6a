//! Programs that are verbs: `lago-NAME` or `lagocli-NAME` on the `PATH` is `lago NAME`, unless lago has a verb of that name.
//!
//! A program is run with the words behind its name, on the same standard streams, and `lago` exits as it does. It is told
//! the place by the environment: `LAGO_PREFIX_PATH`, the directory of the prefix that the command line is about, and
//! `LAGO_WORKDIR_PATH`, the directory around it. Neither is set where there is no prefix. `LAGO_PROGRAM` is this program.
//! `lago` itself takes `LAGO_PREFIX_PATH` for `--prefix-path`, so that the program needs to say nothing.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Context as _;

use super::context::Context;

/// How the names of such programs begin.
const PREFIXES: [&str; 2] = ["lago-", "lagocli-"];

/// What shells add to the number of a signal.
const SIGNAL_BASE: i32 = 128;

/// The program that is this verb.
pub(super) fn find(verb: &OsStr) -> Option<PathBuf> {
    let verb = verb.to_str().filter(|verb| is_verb(verb))?;
    let names = PREFIXES.map(|prefix| format!("{prefix}{verb}"));
    directories().iter().find_map(|directory| {
        names.iter().map(|name| directory.join(name)).find(|path| is_program(path))
    })
}

/// All such programs, by their verbs.
pub(super) fn all() -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    for directory in directories() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let verb = PREFIXES.iter().find_map(|prefix| name.to_str()?.strip_prefix(prefix));
            let Some(verb) = verb.filter(|verb| is_verb(verb)) else { continue };
            if !found.contains_key(verb) && is_program(&entry.path()) {
                found.insert(verb.to_owned(), entry.path());
            }
        }
    }
    found
}

/// Runs one, and returns its exit code.
pub(super) fn run(
    context: &Context,
    program: &Path,
    words: &[OsString],
) -> anyhow::Result<ExitCode> {
    let mut command = Command::new(program);
    command.args(words).env("LAGO_PROGRAM", env::current_exe()?);
    // What these say is in the place.
    for variable in ["LAGO_WORKDIR", "LAGO_PREFIX_NAME"] {
        command.env_remove(variable);
    }
    let prefix = context.which.path().map_err(anyhow::Error::from);
    match prefix.and_then(|path| Ok(std::path::absolute(path)?)) {
        Ok(prefix) => {
            if let Some(workdir) = prefix.parent() {
                command.env("LAGO_WORKDIR_PATH", workdir);
            }
            command.env("LAGO_PREFIX_PATH", prefix);
        }
        Err(error) => {
            tracing::debug!("{} is run without a prefix: {error:#}", program.display());
            command.env_remove("LAGO_PREFIX_PATH").env_remove("LAGO_WORKDIR_PATH");
        }
    }
    let status = command.status().with_context(|| format!("cannot run {}", program.display()))?;
    let code = status.code().or(status.signal().map(|signal| SIGNAL_BASE + signal)).unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}

fn directories() -> Vec<PathBuf> {
    env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default()
}

/// Whether a word can be a verb, and not a path or an option.
fn is_verb(word: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    word.starts_with(|c: char| c.is_ascii_alphanumeric()) && word.chars().all(is_allowed)
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
