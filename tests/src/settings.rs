use std::env;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use crate::place;

/// lago's setting for the template store.
const STORE_VARIABLE: &str = "LAGO_STORE";

/// Runs a suite with the tests' own template store instead of the user's: starts this program again with that setting,
/// unless it has it.
pub fn with_store(suite: impl FnOnce() -> ExitCode) -> ExitCode {
    if env::var_os(STORE_VARIABLE).is_some() {
        return suite();
    }
    let program = env::current_exe().expect("the program's path is known");
    let mut command = Command::new(program);
    let error = command.args(env::args_os().skip(1)).env(STORE_VARIABLE, place::store()).exec();
    eprintln!("cannot start this program again: {error}");
    ExitCode::FAILURE
}
