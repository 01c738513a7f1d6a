//! The process that the user starts: reads the command line, runs scenarios in workers, writes events and reports.

mod check;
mod earlier;
mod interrupts;
mod keep;
mod lane;
mod limited;
mod options;
mod plan;
mod run;
mod runner;
mod saved;
mod schedule;
mod selection;
mod tail;
mod worker_process;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use lago::spec::InitFile;
use libtest_mimic::{Arguments, Completion, Conclusion, Failed, FormatSetting};

use crate::outcome::{Class, Outcome};
use crate::report::console;
use crate::suite::Suite;
use crate::tell::{self, tell};
use earlier::{Ground, Place, under_nextest};
use interrupts::Interrupts;
use options::{From, Options};
use run::{Claim, Run};
use runner::{Finish, Prepared, Runner};
use selection::Selection;

/// The command line or the suite itself is wrong; also clap's own code for that.
const EXIT_REFUSED: u8 = 2;

/// Runs what the command line asks for.
pub(crate) fn main(suite: Suite) -> ExitCode {
    let arguments = Arguments::from_args();
    // The line with a scenario's name may not have ended yet.
    tell::tell_what_the_library_says("warn", "\n");
    let problems = check::problems(&suite);
    if !problems.is_empty() {
        return refused(&suite, &problems);
    }
    let options = match Options::read(&suite, &arguments) {
        Ok(options) => options,
        Err(problems) => return refused(&suite, &problems),
    };
    let mut selection = Selection::new(&suite, &arguments);
    if let Some(From::Stage(stage)) = options.from
        && !arguments.list
    {
        selection.begin_after(stage);
    }
    if arguments.list || selection.is_empty() {
        let trials = selection.trials(&selection.plan(|_| false), |_| refuse);
        return libtest_mimic::run(&selection.arguments(), trials).exit_code();
    }
    let init_file = match init_file(&suite) {
        Ok(init_file) => init_file,
        Err(problems) => return refused(&suite, &problems),
    };
    let interrupts = match Interrupts::watch() {
        Ok(interrupts) => interrupts,
        Err(error) => {
            tell(format_args!("cannot watch for signals: {error}"));
            return ExitCode::from(runner::EXIT_INFRASTRUCTURE);
        }
    };
    // What can be started from is known only once no other run can change it.
    let claim = Claim::take(&suite, options::junit_file().as_deref(), &interrupts);
    let place = claim.as_ref().ok().zip(init_file.as_ref()).map(|(claim, init_file)| Place {
        files: &claim.files,
        init_file,
        interrupts: &interrupts,
    });
    let ground = match ground(&suite, &selection, options.from, place) {
        Ok(ground) => ground,
        Err(problem) => return refused(&suite, &[problem]),
    };
    let run = Run::new(suite, ground.plan, options, arguments.nocapture, interrupts);
    let prepared = Prepared { claim, earlier: ground.earlier, init_file };
    execute(&arguments, &selection, run, prepared)
}

fn refused(suite: &Suite, problems: &[String]) -> ExitCode {
    for problem in problems {
        tell(format_args!("suite `{}`: {problem}", suite.name()));
    }
    ExitCode::from(EXIT_REFUSED)
}

/// The suite's init file, if it has one, and if that has what the scenarios need.
fn init_file(suite: &Suite) -> Result<Option<InitFile>, Vec<String>> {
    let init_file = suite
        .environment()
        .map(|spec| spec.load())
        .transpose()
        .map_err(|failure| vec![failure.to_string()])?;
    let problems = check::unmet_needs(suite, init_file.as_ref());
    if problems.is_empty() { Ok(init_file) } else { Err(problems) }
}

/// Where the run starts: a run of everything in a new environment, another one where an earlier run has left off.
fn ground(
    suite: &Suite,
    selection: &Selection,
    from: Option<From>,
    place: Option<Place<'_>>,
) -> Result<Ground, String> {
    match (place, from) {
        (None, _) | (_, Some(From::Start)) => Ok(Ground::afresh(selection)),
        (_, None) if selection.is_whole() => Ok(Ground::afresh(selection)),
        (Some(place), from) => {
            Ground::find(suite, &selection::shape(suite), selection, from, place)
        }
    }
}

/// The body of a trial that is only listed or filtered out.
fn refuse() -> Result<Completion, Failed> {
    Err("this trial was not meant to run".into())
}

fn execute(arguments: &Arguments, selection: &Selection, run: Run, prepared: Prepared) -> ExitCode {
    let plan = run.plan.clone();
    let runner = Arc::new(Mutex::new(Runner::new(run, prepared)));
    let has_room = has_room_for_remarks(arguments);
    let trials = selection.trials(&plan, |step| {
        let runner = Arc::clone(&runner);
        move || {
            let mut runner = runner.lock().unwrap_or_else(PoisonError::into_inner);
            let outcome = runner.outcome(step);
            if let Outcome::Flaky { attempt, .. } = outcome
                && has_room
            {
                print!("flaky, passed at try {attempt}: ");
            }
            let output = runner.output_end(step);
            verdict(&outcome, output.as_deref())
        }
    });
    // Printing panics when nobody reads it any more; the environment must be taken down all the same.
    let concluded =
        catch_unwind(AssertUnwindSafe(|| libtest_mimic::run(&selection.arguments(), trials)));
    let mut runner = runner.lock().unwrap_or_else(PoisonError::into_inner);
    if concluded.is_err() {
        runner.call_off("nobody reads the output any more");
    }
    let failed = concluded.as_ref().map_or(true, Conclusion::has_failed);
    let finish = runner.finish(failed);
    drop(runner);
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
        Class::Tolerated => Ok(Completion::ignored_with(console::on_one_line(outcome))),
        Class::NoResult => match outcome {
            Outcome::Blocked { .. } | Outcome::NotRun { .. } if under_nextest() => {
                Err(outcome.to_string().into())
            }
            _ => Ok(Completion::ignored_with(outcome)),
        },
    }
}

/// Whether a scenario has a line of its own on standard output.
fn has_room_for_remarks(arguments: &Arguments) -> bool {
    let is_pretty = matches!(arguments.format, None | Some(FormatSetting::Pretty));
    is_pretty && !arguments.quiet && arguments.logfile.is_none()
}

/// Prints what a person looks for after a run. Standard output belongs to the JSON when that was asked for.
fn print_finish(arguments: &Arguments, finish: &Finish) {
    let text = finish.lines.join("\n");
    if arguments.format == Some(FormatSetting::Json) {
        tell(text);
    } else {
        println!("{text}");
    }
}
