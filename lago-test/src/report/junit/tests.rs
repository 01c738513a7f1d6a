use std::io;
use std::process::Command;

use chrono::DateTime;
use proptest::prelude::*;

use super::super::RecordedRun;
use super::document;
use crate::events::{Event, Machine, OutputFile, Planned, What};
use crate::outcome::Outcome;
use crate::result::Failure;

fn at(millisecond: i64, what: What) -> Event {
    Event { at: DateTime::from_timestamp_millis(1_700_000_000_000 + millisecond).unwrap(), what }
}

fn planned(stage: &str, scenario: &str) -> Planned {
    Planned { stage: stage.into(), scenario: scenario.into(), prerequisite: false }
}

fn run(cases: Vec<(&str, &str, Option<Outcome>)>) -> RecordedRun {
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
    RecordedRun { prefix: "/prefix".into(), events }
}

/// The report on one run in which every log reads so.
fn render(run: &RecordedRun, output: &str) -> String {
    document::render(&[run], &|_, _, _| Ok(output.to_owned())).unwrap()
}

fn failed(message: &str) -> Outcome {
    let failure = serde_json::json!({ "kind": "failed", "message": message });
    Outcome::Failed { failure: serde_json::from_value::<Failure>(failure).unwrap() }
}

#[test]
fn every_outcome_has_its_form() {
    let run = run(vec![
        ("deploy", "install", Some(Outcome::Passed)),
        ("serve", "fetch", Some(failed("no page\nexpected <b>\"it works\"</b>"))),
        ("serve", "die", Some(Outcome::Errored { message: "worker died".into() })),
        ("serve", "hang", Some(Outcome::TimedOut { limit_ms: 2000, note: None })),
        ("serve", "skip", Some(Outcome::Skipped { reason: "no hosts".into() })),
        ("serve", "later", Some(Outcome::Blocked { by: "serve::fetch".into() })),
        ("serve", "last", None),
    ]);
    insta::assert_snapshot!(render(&run, "out\n"));
}

#[test]
fn a_log_that_cannot_be_read_is_said_in_its_place() {
    let run = run(vec![("a", "b", Some(Outcome::Passed))]);
    let xml = document::render(&[&run], &|_, _, _| Err(io::Error::other("gone"))).unwrap();
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
    let run = run(vec![
        ("serve", "fetch", Some(failed("x"))),
        ("serve", "die", Some(Outcome::Errored { message: "worker died".into() })),
        ("serve", "skip", Some(Outcome::Skipped { reason: "no hosts".into() })),
        ("serve", "last", None),
    ]);
    lint(&render(&run, "out")).unwrap();
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
        let run = run(vec![
            ("a", "failed", Some(failed(&message))),
            ("a", "skipped", Some(Outcome::Skipped { reason: message.clone() })),
        ]);
        prop_assert_eq!(lint(&render(&run, &text)), Ok(()));
    }
}
