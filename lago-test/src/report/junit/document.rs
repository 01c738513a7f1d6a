//! From events to XML. Pure, but for the reading of logs.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::super::RecordedRun;
use super::super::console;
use super::super::text::{clean, first_line};
use crate::events::{Event, Machine, OutputFile, Planned, What};
use crate::outcome::{Class, Outcome};

/// How much output of a scenario that did not pass goes into the file.
const FAILED_OUTPUT: u64 = 1 << 20;

/// How much output of one that passed does.
const PASSED_OUTPUT: u64 = 64 << 10;

/// The longest `message` attribute, in characters: viewers show it in a list.
const MESSAGE_LENGTH: usize = 500;

/// The name of a report on several runs.
const ALL: &str = "lago";

/// The report as XML. `read` gives an excerpt of a log, of at most so many bytes.
pub(super) fn render(
    runs: &[&RecordedRun],
    read: impl Fn(&Path, u64) -> io::Result<String>,
) -> io::Result<String> {
    let suites = runs.iter().map(|run| test_suite(run, &read)).collect::<io::Result<Vec<_>>>()?;
    let name = match suites.as_slice() {
        [suite] => suite.name.to_string(),
        _ => ALL.to_owned(),
    };
    let mut report = Report::new(name);
    report.set_time(suites.iter().filter_map(|suite| suite.time).sum());
    report.add_test_suites(suites);
    let mut xml = report.to_string().map_err(io::Error::other)?;
    // The schema knows `skipped` on suites only. The root comes first, and no name in it can look like this: quotes in
    // attributes are escaped.
    let skipped = format!(" skipped=\"{}\"", report.skipped);
    if let Some(at) = xml.find(&skipped) {
        xml.replace_range(at..at + skipped.len(), "");
    }
    Ok(xml)
}

fn test_suite(
    run: &RecordedRun,
    read: &impl Fn(&Path, u64) -> io::Result<String>,
) -> io::Result<TestSuite> {
    let events = &run.events;
    let Some((started, head)) = run_started(events) else {
        return Err(io::Error::other("the events do not begin with `run_started`"));
    };
    let took = (events.last().map_or(started.at, |last| last.at) - started.at)
        .to_std()
        .unwrap_or_default();

    let mut suite = TestSuite::new(head.suite);
    suite.set_time(took);
    suite
        .extra
        .insert("timestamp".into(), started.at.format("%Y-%m-%dT%H:%M:%S").to_string().into());
    suite.extra.insert("hostname".into(), clean(&head.machine.hostname).into());
    suite.add_property(("lago-test", head.version));
    suite.add_property(("kernel", clean(&head.machine.kernel).as_str()));
    for (name, count) in console::repeated(events) {
        suite.add_property((format!("repeat.{name}").as_str(), count.as_str()));
    }
    let finished = finished(events);
    let read = |log: &OutputFile, limit: u64| read(&run.prefix.join(&log.path), limit);
    for planned in head.planned {
        let finished = finished.get(&(planned.stage.as_str(), planned.scenario.as_str()));
        suite.add_test_case(test_case(head.suite, planned, finished.copied(), &read));
    }
    Ok(suite)
}
/// The fields of [`What::RunStarted`] that the report shows.
struct RunStarted<'a> {
    suite: &'a str,
    version: &'a str,
    machine: &'a Machine,
    planned: &'a [Planned],
}

fn run_started(events: &[Event]) -> Option<(&Event, RunStarted<'_>)> {
    let event = events.first()?;
    match &event.what {
        What::RunStarted { suite, version, machine, planned, .. } => {
            Some((event, RunStarted { suite, version, machine, planned }))
        }
        _ => None,
    }
}

/// What [`What::ScenarioFinished`] says.
#[derive(Clone, Copy)]
struct Finished<'a> {
    outcome: &'a Outcome,
    took: Duration,
    output: Option<&'a OutputFile>,
}

/// How scenarios ended, by stage and name.
fn finished(events: &[Event]) -> HashMap<(&str, &str), Finished<'_>> {
    let finished = events.iter().filter_map(|event| match &event.what {
        What::ScenarioFinished { stage, scenario, outcome, took_ms, output } => {
            let took = Duration::from_millis(*took_ms);
            let finished = Finished { outcome, took, output: output.as_ref() };
            Some(((stage.as_str(), scenario.as_str()), finished))
        }
        _ => None,
    });
    finished.collect()
}

fn test_case(
    suite: &str,
    planned: &Planned,
    finished: Option<Finished<'_>>,
    read: &impl Fn(&OutputFile, u64) -> io::Result<String>,
) -> TestCase {
    let unfinished = Outcome::NotRun { reason: "the run ended before it did".to_owned() };
    let finished =
        finished.unwrap_or(Finished { outcome: &unfinished, took: Duration::ZERO, output: None });
    let mut case = TestCase::new(planned.scenario.as_str(), status(finished.outcome));
    // Split at its last dot by Jenkins: the suite is the package, the stage the class. Names have no dots.
    case.set_classname(format!("{suite}.{}", planned.stage));
    case.set_time(finished.took);
    if let Some(log) = finished.output {
        let limit = match finished.outcome.class() {
            Class::Failure | Class::Error => FAILED_OUTPUT,
            Class::Passed | Class::NoResult => PASSED_OUTPUT,
        };
        let text = read(log, limit).unwrap_or_else(|error| {
            format!("[the output in {} cannot be read: {error}]", log.path.display())
        });
        case.set_system_out(clean(&text));
    }
    case
}

fn status(outcome: &Outcome) -> TestCaseStatus {
    let mut status = match outcome.class() {
        Class::Passed => return TestCaseStatus::success(),
        Class::Failure => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Class::Error => TestCaseStatus::non_success(NonSuccessKind::Error),
        Class::NoResult => TestCaseStatus::skipped(),
    };
    let text = clean(&outcome.to_string());
    let message: String = first_line(&text).chars().take(MESSAGE_LENGTH).collect();
    status.set_message(message).set_type(outcome.word()).set_description(text);
    status
}
