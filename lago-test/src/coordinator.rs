//! The process that the user starts: reads the command line, runs scenarios in workers, writes events and reports.

mod arguments;
mod check;
mod consoles;
mod earlier;
mod evidence;
mod executable;
mod execution;
mod interrupts;
mod keep;
mod lane;
mod limited;
mod live;
mod nextest;
mod options;
mod plan;
mod refusal;
mod run;
mod runner;
mod saved;
mod schedule;
mod selection;
mod show;
mod tail;
mod terminal;
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
use executable::Executable;
use execution::Execution;
use interrupts::Interrupts;
use live::{LiveView, Overview};
use nextest::Nextest;
use options::{From, Options};
use refusal::Refusal;
use run::{Claim, Run};
use runner::{Prepared, Runner};
use selection::Selection;
use show::{Ended, Listed, LogFile, Shown, Style};
use work::Works;

/// Runs what the command line asks for.
pub(crate) fn main(suite: Suite) -> ExitCode {
    let name = suite.name().to_owned();
    obey(suite).unwrap_or_else(|refusal| refusal.tell(&name))
}

fn obey(mut suite: Suite) -> Result<ExitCode, Refusal> {
    let arguments = Arguments::read();
    // The line with a scenario's name may not have ended yet.
    let works = Works::default();
    tell::tell_what_the_library_says("warn", "\n", Some(works.layer()));
    let nextest = checked(&suite, &arguments)?;
    let selecting = nextest.arguments(&suite, &arguments);
    let mut selection = Selection::new(&mut suite, &selecting);
    let options = Options::read(&suite, &arguments)?;
    let log_file = arguments.logfile.as_deref().map(LogFile::create).transpose()?;
    if arguments.list {
        return list(&nextest.list(&suite, &selection, &arguments), &arguments, log_file);
    }
    if let Some(From::Stage(stage)) = options.from {
        selection.begin_after(stage);
    }
    let style = Style::new(&arguments, nextest.is_by_scenario());
    if selection.is_empty() {
        return show_what_is_ignored(&selection, style, log_file);
    }
    let init_file = init_file(&suite)?;
    let executable = Executable::this()
        .map_err(|error| Refusal::Broken(format!("cannot find this program: {error}")))?;
    let interrupts = Interrupts::watch()
        .map_err(|error| Refusal::Broken(format!("cannot watch for signals: {error}")))?;
    // What can be started from is known only once no other run can change it.
    let claim = Claim::take(&suite, &options, nextest.part_of(), &interrupts);
    let place = claim.as_ref().ok().zip(init_file.as_ref()).map(|(claim, init_file)| Place {
        files: &claim.files,
        init_file,
        each_alone: nextest.is_by_scenario(),
        executable: &executable,
        interrupts: &interrupts,
    });
    let ground = ground(&suite, &selection, options.from, place)?;
    let program = selection.program(&ground.plan);
    let overview = Arc::new(Overview::new(program.shown.len()));
    let view = LiveView::start(style, Arc::clone(&overview), works.clone());
    let run = Run::new(suite, ground.plan, program, options, executable, interrupts);
    let run = run.watched_by(works, overview);
    let prepared = Prepared { claim, earlier: ground.earlier, init_file };
    Ok(execute(style, view, log_file, run, prepared))
}

/// What the suite is to nextest, if nothing is wrong so far.
fn checked(suite: &Suite, arguments: &Arguments) -> Result<Nextest, Vec<String>> {
    let mut problems = arguments.refusals();
    problems.extend(check::problems(suite));
    let nextest = Nextest::from_environment();
    match (nextest, problems.is_empty()) {
        (Ok(nextest), true) => Ok(nextest),
        (nextest, _) => {
            problems.extend(nextest.err());
            Err(problems)
        }
    }
}

/// Prints what is selected. Starts nothing and writes nothing but the log file, if that is asked for.
fn list(
    listed: &[Listed],
    arguments: &Arguments,
    log_file: Option<LogFile>,
) -> Result<ExitCode, Refusal> {
    log_file.map_or(Ok(()), |mut log_file| log_file.list(listed)).map_err(Refusal::Broken)?;
    show::list(listed, arguments.format())
        .map_err(|error| Refusal::Broken(format!("the list cannot be printed: {error}")))?;
    Ok(ExitCode::SUCCESS)
}

/// Nothing is to run, so nothing is started, and nothing written but the log file, if that is asked for.
fn show_what_is_ignored(
    selection: &Selection,
    style: Style,
    log_file: Option<LogFile>,
) -> Result<ExitCode, Refusal> {
    let ended = |shown: &Shown| Ended::ignored(shown.ignore_reason());
    let program = selection.program(&selection.plan(|_| false));
    if let Some(mut log_file) = log_file {
        let mut results = program.shown.iter();
        results
            .try_for_each(|shown| log_file.result(&shown.name(), &ended(shown), false))
            .map_err(Refusal::Broken)?;
    }
    Ok(show::run(program, style, ended).exit_code())
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
