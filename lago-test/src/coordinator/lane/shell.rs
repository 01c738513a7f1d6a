//! A shell in the environment of a scenario that has failed, for whoever is at the terminal.

use std::env;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use tempfile::TempDir;

use super::super::executable::Executable;
use super::super::options::OnFailure;
use super::super::plan::ScenarioId;
use super::super::run::millis;
use super::super::terminal;
use super::Lane;
use crate::as_lago;
use crate::environment::Environment;
use crate::events::What;
use crate::outcome::Outcome;
use crate::result::Failure;
use crate::tell::{tell, with_terminal};

/// The shell that a user has who has chosen none.
const USUAL_SHELL: &str = "/bin/sh";

/// What a shell there finds in its environment: the scenario, for its prompt.
const SCENARIO_VARIABLE: &str = "LAGO_SCENARIO";

/// The prefix of lago's verbs, and what cannot stand beside it.
const PREFIX_VARIABLE: &str = "LAGO_PREFIX_PATH";
const OTHER_PREFIXES: [&str; 2] = ["LAGO_WORKDIR", "LAGO_PREFIX_NAME"];

/// What has been found out about a failure, and where that is, from the prefix.
pub(super) type Found = (&'static str, Option<PathBuf>);

impl Lane {
    /// Opens a shell in the environment as a scenario has left it, if that is wanted and somebody is there. The run goes on
    /// when it is left.
    pub(super) fn open_shell(&mut self, id: ScenarioId, outcome: &Outcome, found: &[Found]) {
        let Some(environment) = self.environment.clone() else { return };
        match self.run.options.on_failure {
            OnFailure::GoOn => return,
            OnFailure::Shell { obstacle: Some(obstacle) } => {
                // The line with the scenario's name has not ended yet.
                return tell(format_args!("\nno shell is opened: {obstacle}"));
            }
            OnFailure::Shell { obstacle: None } => {}
        }
        let (stage, scenario) = self.run.names(id);
        let started = Instant::now();
        let ran = with_terminal(|| {
            // What came before it, or another shell, may have taken long.
            if self.run.interrupts.signal().is_some() {
                return Ok(false);
            }
            tell(format_args!("\n{}", self.guide(id, outcome, &environment, found)));
            let ran = self.run_shell(&format!("{stage}::{scenario}"), &environment);
            // The word that follows says how it ended.
            tell(format_args!("\nthe run goes on; test {stage}::{scenario} ..."));
            ran.map(|()| true)
        });
        match ran {
            Ok(true) => {}
            Ok(false) => return,
            Err(failure) => {
                let failure = failure.without_location();
                return tell(format_args!("no shell could be opened: {failure}"));
            }
        }
        // Who knows what was done in it.
        self.touched = true;
        self.made_of.clear();
        let took_ms = millis(started.elapsed());
        self.run.event(What::ShellClosed { stage, scenario, took_ms });
    }

    fn run_shell(&self, scenario: &str, environment: &Environment) -> Result<(), Failure> {
        let programs =
            programs(environment.directory(), &self.run.executable).map_err(|error| {
                Failure::infrastructure(error.to_string()).context("cannot make `lago` a program")
            })?;
        let mut command = Command::new(shell());
        command.env(PREFIX_VARIABLE, environment.directory()).env(SCENARIO_VARIABLE, scenario);
        command.env("PATH", path_with(programs.path()));
        for name in OTHER_PREFIXES {
            command.env_remove(name);
        }
        if let Err(failure) = environment.enter(&mut command) {
            // What is left of the environment can be looked at all the same.
            tell(format_args!("the shell is not in its network: {}", failure.without_location()));
        }
        terminal::lend_to(&mut command, &self.run.interrupts)?;
        Ok(())
    }

    /// What to know and what to type.
    fn guide(
        &self,
        id: ScenarioId,
        outcome: &Outcome,
        environment: &Environment,
        found: &[Found],
    ) -> String {
        let (stage, scenario) = self.run.names(id);
        let mut text = format!(
            "{stage}::{scenario}: {outcome}\n\
             this shell is in its environment, which is as the scenario left it; `exit` goes on with the run\n"
        );
        let mut line = |left: &str, right: &str| {
            let _ = writeln!(text, "  {left:<30} {right}");
        };
        for vm in environment.vms() {
            let name = vm.name();
            line(&format!("lago shell {name}"), &format!("into {name}, {}", vm.ip()));
        }
        line("lago status, lago --help", "what else there is; all of it is about this environment");
        let files = self.run.files().map(|files| files.prefix).unwrap_or_default();
        line("its output", &files.join(self.run.log(id)).display().to_string());
        for (what, path) in found {
            if let Some(path) = path {
                line(what, &files.join(path).display().to_string());
            }
        }
        text.pop();
        text
    }
}

/// The user's shell.
fn shell() -> OsString {
    let chosen = env::var_os("SHELL").filter(|shell| !shell.is_empty());
    chosen.unwrap_or_else(|| USUAL_SHELL.into())
}

/// A directory with `lago`, which is this program under another name: it need not be installed, and fits the prefix. It is
/// in the prefix, and goes with it when this process is killed.
fn programs(prefix: &Path, executable: &Executable) -> io::Result<TempDir> {
    let directory = tempfile::Builder::new().prefix(".programs-").tempdir_in(prefix)?;
    executable.name(&directory.path().join(as_lago::NAME))?;
    Ok(directory)
}

fn path_with(directory: &Path) -> OsString {
    let usual = env::var_os("PATH").unwrap_or_default();
    let directories = std::iter::once(PathBuf::from(directory)).chain(env::split_paths(&usual));
    // Only a directory with a colon in its name cannot be in it.
    env::join_paths(directories).unwrap_or(usual)
}
