//! The `JUnit` file, as Jenkins and its strict xUnit plugin read it: a function of the events and the scenarios' logs.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::text::{clean, first_line};
use crate::events::{Event, Machine, OutputFile, Planned, What};
use crate::outcome::{Class, Outcome};
use crate::output;

/// How much output of a scenario that did not pass goes into the file.
const FAILED_OUTPUT: u64 = 1 << 20;

/// How much output of one that passed does.
const PASSED_OUTPUT: u64 = 64 << 10;

/// The longest `message` attribute, in characters: viewers show it in a list.
const MESSAGE_LENGTH: usize = 500;

/// Writes the report on a run in one step: a reader never sees half of it.
pub(crate) fn write(events: &[Event], prefix: &Path, path: &Path) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(directory)?;
    let xml = render(events, |log, limit| output::excerpt(&prefix.join(&log.path), limit))?;
    file.write_all(xml.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

/// The report as XML. `read` gives an excerpt of a log, of at most so many bytes.
fn render(
    events: &[Event],
    read: impl Fn(&OutputFile, u64) -> io::Result<String>,
) -> io::Result<String> {
    let Some((started, run)) = run_started(events) else {
        return Err(io::Error::other("the events do not begin with `run_started`"));
    };
    let took = (events.last().map_or(started.at, |last| last.at) - started.at)
        .to_std()
        .unwrap_or_default();

    let mut suite = TestSuite::new(run.suite);
    suite.set_time(took);
    suite
        .extra
        .insert("timestamp".into(), started.at.format("%Y-%m-%dT%H:%M:%S").to_string().into());
    suite.extra.insert("hostname".into(), clean(&run.machine.hostname).into());
    suite.add_property(("lago-test", run.version));
    suite.add_property(("kernel", clean(&run.machine.kernel).as_str()));
    for (name, count) in super::console::repeated(events) {
        suite.add_property((format!("repeat.{name}").as_str(), count.as_str()));
    }
    let finished = finished(events);
    for planned in run.planned {
        let finished = finished.get(&(planned.stage.as_str(), planned.scenario.as_str()));
        suite.add_test_case(test_case(run.suite, planned, finished.copied(), &read));
    }

    let mut report = Report::new(run.suite);
    report.set_time(took);
    report.add_test_suite(suite);
    let xml = report.to_string().map_err(io::Error::other)?;
    // The schema knows `skipped` on suites only. No attribute's text can look like this: quotes in it are escaped.
    Ok(xml.replacen(&format!(" skipped=\"{}\"", report.skipped), "", 1))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::Failure;
    use chrono::DateTime;
    use proptest::prelude::*;
    use std::process::Command;

    fn at(millisecond: i64, what: What) -> Event {
        Event {
            at: DateTime::from_timestamp_millis(1_700_000_000_000 + millisecond).unwrap(),
            what,
        }
    }

    fn planned(stage: &str, scenario: &str) -> Planned {
        Planned { stage: stage.into(), scenario: scenario.into(), prerequisite: false }
    }

    fn run(cases: Vec<(&str, &str, Option<Outcome>)>) -> Vec<Event> {
        let started = What::RunStarted {
            schema: crate::events::SCHEMA,
            suite: "web".into(),
            version: "0.1.0".into(),
            pid: 7,
            arguments: vec![],
            machine: Machine { hostname: "ci".into(), kernel: "Linux 6".into() },
            planned: cases.iter().map(|(stage, scenario, _)| planned(stage, scenario)).collect(),
        };
        let mut events = vec![at(0, started)];
        for (number, (stage, scenario, outcome)) in cases.into_iter().enumerate() {
            let Some(outcome) = outcome else { continue };
            let output = OutputFile { path: format!("{scenario}.log").into(), bytes: 3 };
            events.push(at(
                1234 * i64::try_from(number).unwrap(),
                What::ScenarioFinished {
                    stage: stage.into(),
                    scenario: scenario.into(),
                    outcome,
                    took_ms: 1234,
                    output: Some(output),
                },
            ));
        }
        events
    }

    fn failed(message: &str) -> Outcome {
        let failure = serde_json::json!({ "kind": "failed", "message": message });
        Outcome::Failed { failure: serde_json::from_value::<Failure>(failure).unwrap() }
    }

    #[test]
    fn every_outcome_has_its_form() {
        let events = run(vec![
            ("deploy", "install", Some(Outcome::Passed)),
            ("serve", "fetch", Some(failed("no page\nexpected <b>\"it works\"</b>"))),
            ("serve", "die", Some(Outcome::Errored { message: "worker died".into() })),
            ("serve", "hang", Some(Outcome::TimedOut { limit_ms: 2000 })),
            ("serve", "skip", Some(Outcome::Skipped { reason: "no hosts".into() })),
            ("serve", "later", Some(Outcome::Blocked { by: "serve::fetch".into() })),
            ("serve", "last", None),
        ]);
        insta::assert_snapshot!(render(&events, |_, _| Ok("out\n".into())).unwrap());
    }

    #[test]
    fn a_log_that_cannot_be_read_is_said_in_its_place() {
        let events = run(vec![("a", "b", Some(Outcome::Passed))]);
        let xml = render(&events, |_, _| Err(io::Error::other("gone"))).unwrap();
        assert!(xml.contains("[the output in b.log cannot be read: gone]"), "{xml}");
    }

    /// `xmllint` on the report, against the schema that `LAGO_JUNIT_XSD` names, if it does.
    fn lint(xml: &str) -> Result<(), String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), xml).unwrap();
        let mut command = Command::new("xmllint");
        command.arg("--noout").arg("--huge");
        if let Some(schema) = std::env::var_os("LAGO_JUNIT_XSD") {
            command.arg("--schema").arg(schema);
        }
        let output =
            command.arg(file.path()).output().expect("xmllint runs (Debian package libxml2-utils)");
        if output.status.success() {
            return Ok(());
        }
        Err(format!("{}\n{xml}", String::from_utf8_lossy(&output.stderr)))
    }

    #[test]
    fn the_form_is_valid() {
        let events = run(vec![
            ("serve", "fetch", Some(failed("x"))),
            ("serve", "die", Some(Outcome::Errored { message: "worker died".into() })),
            ("serve", "skip", Some(Outcome::Skipped { reason: "no hosts".into() })),
            ("serve", "last", None),
        ]);
        lint(&render(&events, |_, _| Ok("out".into())).unwrap()).unwrap();
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn any_bytes_make_a_valid_file(
            output in prop::collection::vec(any::<u8>(), 0..400),
            message in any::<String>(),
            piece in prop::sample::select(&[
                "", "]]>", "\0", "\u{1b}[31m", "\u{1b}]0;", "\u{fffe}", "\u{ffff}", "\t\r\n", "\u{9b}", "&<>\"'",
            ]),
        ) {
            let mut bytes = output;
            bytes.extend_from_slice(piece.as_bytes());
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let message = format!("{piece}{message}{piece}");
            let events = run(vec![
                ("a", "failed", Some(failed(&message))),
                ("a", "skipped", Some(Outcome::Skipped { reason: message.clone() })),
            ]);
            let xml = render(&events, |_, _| Ok(text.clone())).unwrap();
            prop_assert_eq!(lint(&xml), Ok(()));
        }
    }
}
