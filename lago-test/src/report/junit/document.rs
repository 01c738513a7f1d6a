//! From events to XML. Pure, but for the reading of logs.

use std::io;

use quick_junit::{Report, TestSuite};

use super::super::{RecordedRun, console, text::clean};
use super::case::{self, Excerpts};
use super::story::{Story, stories};
use crate::events::{Event, Machine, Planned, What};

/// The name of a report on several runs.
const ALL: &str = "lago";

/// The report as XML.
pub(super) fn render(runs: &[&RecordedRun], excerpts: &Excerpts<'_>) -> io::Result<String> {
    let suites = runs.iter().map(|run| test_suite(run, excerpts));
    let suites = suites.collect::<io::Result<Vec<_>>>()?;
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

fn test_suite(run: &RecordedRun, excerpts: &Excerpts<'_>) -> io::Result<TestSuite> {
    let events = &run.events;
    let Some((started, head)) = head(events) else {
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
    let stories = stories(events);
    let limits = case::Limits::for_all(stories.values());
    for planned in head.planned {
        let story = stories.get(&(planned.stage.as_str(), planned.scenario.as_str()));
        let story = story.cloned().unwrap_or_else(Story::default);
        // Split at its last dot by Jenkins: the suite is the package, the stage the class. Names have no dots.
        let class = format!("{}.{}", head.suite, planned.stage);
        let mut case = case::test_case(&planned.scenario, &story, run, limits, excerpts);
        case.set_classname(class);
        suite.add_test_case(case);
    }
    Ok(suite)
}

/// What [`What::RunStarted`] says that the report shows.
struct Head<'a> {
    suite: &'a str,
    version: &'a str,
    machine: &'a Machine,
    planned: &'a [Planned],
}

fn head(events: &[Event]) -> Option<(&Event, Head<'_>)> {
    let event = events.first()?;
    match &event.what {
        What::RunStarted { suite, version, machine, planned, .. } => {
            Some((event, Head { suite, version, machine, planned }))
        }
        _ => None,
    }
}
