//! The `lago-test` command: what there is to do with a run when its suite has ended.

mod report;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The exit code of a verb that failed.
const EXIT_FAILURE: u8 = 1;

/// The exit code of a command line that could not be understood.
const EXIT_USAGE: u8 = 2;

/// Makes the reports of suites that have run.
#[derive(Debug, Parser)]
#[command(name = "lago-test", version, infer_long_args = true)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write the reports of runs anew, from their events; of killed ones too.
    Report(report::Arguments),
}

/// Runs the command line and returns the exit code: 0 done, 1 failed, 2 the command line was not understood.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { EXIT_USAGE } else { 0 };
            // A closed stdout is the reader's choice, not a failure.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let done = match arguments.verb {
        Verb::Report(arguments) => report::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(EXIT_FAILURE)
        }
    }
}
