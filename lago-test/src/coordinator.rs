//! The process that the user starts: reads the command line, runs scenarios in workers, writes events and reports.

mod arguments;
mod check;
mod consoles;
mod earlier;
mod execution;
mod interrupts;
mod keep;
mod lane;
mod limited;
mod live;
mod nextest;
mod options;
mod plan;
mod run;
mod runner;
mod saved;
mod schedule;
mod selection;
mod show;
mod tail;
mod work;
mod worker_process;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::ExitCode;
use std::sync::Arc;

use lago::spec::InitFile;
use libtest_mimic::{Conclusion, FormatSetting};
use uuid::Uuid;

use crate::report::github;
use crate::suite::Suite;
use crate::tell::{self, tell};
use arguments::Arguments;
use earlier::{Ground, Place};
use execution::Execution;
use interrupts::Interrupts;
use live::{LiveView, Overview};
use nextest::Nextest;
use options::{From, Options};
use run::{Claim, Run};
use runner::{Prepared, Runner};
use selection::Selection;
use show::{Ended, Listed, LogFile, Style};
use work::Works;

/// The command line or the suite itself is wrong; also clap's own code for that.
const EXIT_REFUSED: u8 = 2;

/// Runs what the command line asks for.
pub(crate) fn main(mut suite: Suite) -> ExitCode {
    let arguments = Arguments::read();
    // The line with a scenario's name may not have ended yet.
    let works = Works::default();
    tell::tell_what_the_library_says("warn", "\n", Some(works.layer()));
    let mut problems = arguments.refusals();
    problems.extend(check::problems(&suite));
    let nextest = Nextest::from_environment().unwrap_or_else(|problem| {
        problems.push(problem);
        Nextest::Absent
    });
    if !problems.is_empty() {
        return refused(&suite, &problems);
    }
    let selecting = nextest.arguments(&suite, &arguments);
    let mut selection = Selection::new(&mut suite, &selecting);
    let options = match Options::read(&suite, &arguments) {
        Ok(options) => options,
        Err(problems) => return refused(&suite, &problems),
    };
    if let Some(From::Stage(stage)) = options.from
        && !arguments.list
    {
        selection.begin_after(stage);
    }
    let log_file = match arguments.logfile.as_deref().map(LogFile::create).transpose() {
        Ok(log_file) => log_file,
        Err(problem) => return refused(&suite, &[problem]),
    };
    if arguments.list {
        return list(&nextest.list(&suite, &selection, &arguments), &arguments, log_file);
    }
    let style = Style::new(&arguments, nextest.is_by_scenario());
    if selection.is_empty() {
        return show_what_is_ignored(&selection, style);
    }
    let init_file = match init_file(&suite) {
        Ok(init_file) => init_file,
        Err(problems) => return refused(&suite, &problems),
    };
    let interrupts = match Interrupts::watch() {
        Ok(interrupts) => interrupts,
        Err(error) => return broken(&format!("cannot watch for signals: {error}")),
    };
    // What can be started from is known only once no other run can change it.
    let claim = Claim::take(&suite, &options, nextest.part_of(), &interrupts);
    let place = claim.as_ref().ok().zip(init_file.as_ref()).map(|(claim, init_file)| Place {
        files: &claim.files,
        init_file,
        each_alone: nextest.is_by_scenario(),
        interrupts: &interrupts,
    });
    let ground = match ground(&suite, &selection, options.from, place) {
        Ok(ground) => ground,
        Err(problem) => return refused(&suite, &[problem]),
    };
    let program = selection.program(&ground.plan);
    let overview = Arc::new(Overview::new(program.shown.len()));
    let view = LiveView::start(style, Arc::clone(&overview), works.clone());
    let run = Run::new(suite, ground.plan, program, options, interrupts);
    let run = run.watched_by(works, overview);
    let prepared = Prepared { claim, earlier: ground.earlier, init_file };
    execute(style, view, log_file, run, prepared)
}

fn refused(suite: &Suite, problems: &[String]) -> ExitCode {
    for problem in problems {
        tell(format_args!("suite `{}`: {problem}", suite.name()));
    }
    ExitCode::from(EXIT_REFUSED)
}

fn broken(problem: &str) -> ExitCode {
    tell(problem);
    ExitCode::from(runner::EXIT_INFRASTRUCTURE)
}

/// Prints what is selected. Starts nothing and writes nothing but the log file, if that is asked for.
fn list(listed: &[Listed], arguments: &Arguments, log_file: Option<LogFile>) -> ExitCode {
    let written = log_file.map_or(Ok(()), |mut log_file| log_file.list(listed));
    let printed = show::list(listed, arguments.format())
        .map_err(|error| format!("the list cannot be printed: {error}"));
    match written.and(printed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => broken(&problem),
    }
}

/// Nothing is to run, so nothing is started and nothing written.
fn show_what_is_ignored(selection: &Selection, style: Style) -> ExitCode {
    let program = selection.program(&selection.plan(|_| false));
    show::run(program, style, |shown| Ended::ignored(shown.ignore_reason())).exit_code()
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

fn execute(
    style: Style,
    view: Option<LiveView>,
    log_file: Option<LogFile>,
    run: Run,
    prepared: Prepared,
) -> ExitCode {
    let style = view.as_ref().map_or(style, |view| view.style(style));
    let commands = github::is_here().then(|| Uuid::new_v4().to_string());
    if let Some(token) = &commands {
        print(style, &github::stop(token));
    }
    let program = run.program.clone();
    let execution = Arc::new(Execution::new(Runner::new(run, prepared), style, log_file));
    let shown_one = Arc::clone(&execution);
    // Printing panics when nobody reads it any more; the environment must be taken down all the same.
    let concluded = catch_unwind(AssertUnwindSafe(|| {
        show::run(program, style, move |shown| shown_one.end(shown))
    }));
    if concluded.is_err() {
        execution.call_off("nobody reads the output any more");
    }
    let failed = concluded.as_ref().map_or(true, Conclusion::has_failed);
    let finish = execution.finish(failed);
    drop(view);
    match concluded {
        Ok(_) => {
            print(style, &finish.lines.join("\n"));
            if let Some(token) = &commands {
                print(style, &github::resume(token));
                finish.annotations.iter().for_each(|annotation| print(style, annotation));
            }
            ExitCode::from(finish.exit_code)
        }
        Err(panic) => resume_unwind(panic),
    }
}

/// Prints what is said beside the results. Standard output belongs to the JSON when that was asked for.
fn print(style: Style, text: &str) {
    if style.format == FormatSetting::Json {
        tell(text);
    } else {
        println!("{text}");
    }
}
