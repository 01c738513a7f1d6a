//! The process that the user starts: reads the command line, runs scenarios in workers, writes events and reports.

mod check;
mod interrupts;
mod keep;
mod limited;
mod plan;
mod run;
mod selection;
mod tail;
mod worker_process;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Arguments, Completion, Conclusion, Failed, FormatSetting};

use crate::outcome::{Class, Outcome};
use crate::report::console;
use crate::suite::Suite;
use interrupts::Interrupts;
use keep::Keep;
use run::{Finish, Run, Settings};
use selection::Selection;

/// The command line or the suite itself is wrong; also clap's own code for that.
const EXIT_REFUSED: u8 = 2;

/// Runs what the command line asks for.
pub(crate) fn main(suite: Suite) -> ExitCode {
    let arguments = Arguments::from_args();
    let problems = check::problems(&suite);
    if !problems.is_empty() {
        return refused(&suite, &problems);
    }
    if arguments.test_threads == Some(0) {
        eprintln!("--test-threads 0: at least one is needed");
        return ExitCode::from(EXIT_REFUSED);
    }
    let selection = Selection::new(&suite, &arguments);
    if arguments.list || selection.steps().is_empty() {
        return libtest_mimic::run(&selection.arguments(), selection.trials(|_| refuse))
            .exit_code();
    }
    let settings = match settings(&suite, &arguments) {
        Ok(settings) => settings,
        Err(problems) => return refused(&suite, &problems),
    };
    let interrupts = match Interrupts::watch() {
        Ok(interrupts) => interrupts,
        Err(error) => {
            eprintln!("cannot watch for signals: {error}");
            return ExitCode::from(run::EXIT_INFRASTRUCTURE);
        }
    };
    execute(suite, &arguments, &selection, interrupts, settings)
}

fn refused(suite: &Suite, problems: &[String]) -> ExitCode {
    for problem in problems {
        eprintln!("suite `{}`: {problem}", suite.name());
    }
    ExitCode::from(EXIT_REFUSED)
}

/// What else a run needs to know, or what is wrong with it.
fn settings(suite: &Suite, arguments: &Arguments) -> Result<Settings, Vec<String>> {
    let keep = Keep::from_environment().map_err(|problem| vec![problem])?;
    let init_file = suite
        .environment()
        .map(|spec| spec.load())
        .transpose()
        .map_err(|failure| vec![failure.to_string()])?;
    let problems = check::unmet_needs(suite, init_file.as_ref());
    if problems.is_empty() {
        Ok(Settings { live: arguments.nocapture, init_file, keep })
    } else {
        Err(problems)
    }
}

/// The body of a trial that is only listed or filtered out.
fn refuse() -> Result<Completion, Failed> {
    Err("this trial was not meant to run".into())
}

fn execute(
    suite: Suite,
    arguments: &Arguments,
    selection: &Selection,
    interrupts: Interrupts,
    settings: Settings,
) -> ExitCode {
    let run = Run::new(suite, selection.steps().to_vec(), interrupts, settings);
    let run = Arc::new(Mutex::new(run));
    let trials = selection.trials(|step| {
        let run = Arc::clone(&run);
        move || {
            let mut run = run.lock().unwrap_or_else(PoisonError::into_inner);
            let outcome = run.execute(step);
            let output = run.output_end(step);
            verdict(&outcome, output.as_deref())
        }
    });
    // Printing panics when nobody reads it any more; the environment must be taken down all the same.
    let concluded =
        catch_unwind(AssertUnwindSafe(|| libtest_mimic::run(&selection.arguments(), trials)));
    let mut run = run.lock().unwrap_or_else(PoisonError::into_inner);
    let failed = concluded.as_ref().map_or(true, Conclusion::has_failed);
    let finish = run.finish(failed);
    drop(run);
    match concluded {
        Ok(_) => {
            print_finish(arguments, &finish);
            ExitCode::from(finish.exit_code)
        }
        Err(panic) => resume_unwind(panic),
    }
}

/// A scenario's outcome as `cargo test` knows them. Under nextest, what is ignored while running counts as passed, so
/// a scenario that could not run is a failure there.
fn verdict(outcome: &Outcome, output: Option<&str>) -> Result<Completion, Failed> {
    match outcome.class() {
        Class::Passed => Ok(Completion::Completed),
        Class::Failure | Class::Error => Err(console::failure(outcome, output).into()),
        Class::NoResult => match outcome {
            Outcome::Blocked { .. } | Outcome::NotRun { .. } if under_nextest() => {
                Err(outcome.to_string().into())
            }
            _ => Ok(Completion::ignored_with(outcome)),
        },
    }
}

fn under_nextest() -> bool {
    std::env::var_os("NEXTEST").is_some_and(|value| value == "1")
}

/// Prints what a person looks for after a run. Standard output belongs to the JSON when that was asked for.
fn print_finish(arguments: &Arguments, finish: &Finish) {
    let text = finish.lines.join("\n");
    if arguments.format == Some(FormatSetting::Json) {
        eprintln!("{text}");
    } else {
        println!("{text}");
    }
}
