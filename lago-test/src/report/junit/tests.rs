use std::io;
use std::ops::Range;
use std::path::Path;
use std::process::Command;

use chrono::DateTime;
use proptest::prelude::*;

use super::super::RecordedRun;
use super::document;
use crate::events::{Event, Machine, OutputFile, OutputPart, Planned, What};
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
        part_of: None,
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

/// Adds tries to the events of a run's scenario.
fn tried(run: &mut RecordedRun, stage: &str, scenario: &str, outcomes: &[Outcome]) {
    let of = u32::try_from(outcomes.len()).unwrap();
    for (attempt, outcome) in (1..).zip(outcomes) {
        let path = format!("{scenario}.log").into();
        let what = What::ScenarioTried {
            stage: stage.into(),
            scenario: scenario.into(),
            attempt,
            of,
            outcome: outcome.clone(),
            took_ms: 5,
            output: Some(OutputPart { path, offset: u64::from(attempt) * 100, bytes: 10 }),
        };
        run.events.insert(1, at(0, what));
        // In their order, and before the end.
        let inserted = usize::try_from(attempt).unwrap();
        run.events[1..=inserted].rotate_left(1);
    }
}

fn collected(run: &mut RecordedRun, stage: &str, scenario: &str, file: &str) {
    let what = What::EvidenceCollected {
        stage: stage.into(),
        scenario: scenario.into(),
        took_ms: 7,
        files: [file.into()].into(),
        problems: Vec::new(),
    };
    run.events.insert(1, at(0, what));
}

fn begun(run: &mut RecordedRun, stage: &str, scenario: &str) {
    let what = What::ScenarioStarted {
        stage: stage.into(),
        scenario: scenario.into(),
        worker: 1,
        log: format!("{scenario}.log").into(),
        vms: Vec::new(),
        limit_ms: None,
    };
    run.events.push(at(6000, what));
}

/// The report on one run in which every log reads so.
fn render(run: &RecordedRun, output: &str) -> String {
    document::render(&[run], &|_, _, _| Ok(output.to_owned())).unwrap()
}

fn failed(message: &str) -> Outcome {
    let failure = serde_json::json!({ "kind": "failed", "message": message });
    Outcome::Failed { failure: serde_json::from_value::<Failure>(failure).unwrap() }
}

/// A run with every outcome that there is, each with this text in it.
fn with_every_outcome(text: &str) -> RecordedRun {
    let hung = Outcome::TimedOut { limit_ms: 2000, note: Some(text.to_owned()) };
    let died = Outcome::Errored { message: text.to_owned() };
    let flaky = Outcome::Flaky { attempt: 3, failure: text.to_owned() };
    let known = Outcome::KnownFailure { reason: text.to_owned(), failure: text.to_owned() };
    let mut run = run(vec![
        ("deploy", "install", Some(Outcome::Passed)),
        ("deploy", "download", Some(flaky)),
        ("serve", "fetch", Some(failed(text))),
        ("serve", "fetch_always", Some(failed(text).with_note("failed in each of 2 tries"))),
        ("serve", "die", Some(died.clone())),
        ("serve", "hang", Some(hung.clone())),
        ("serve", "slow_sum", Some(known)),
        ("serve", "skip", Some(Outcome::Skipped { reason: text.to_owned() })),
        ("serve", "later", Some(Outcome::Blocked { by: "serve::fetch".into() })),
        ("serve", "runs", None),
        ("serve", "runs_again", None),
        ("serve", "last", Some(Outcome::NotRun { reason: text.to_owned() })),
        ("serve", "very_last", None),
    ]);
    tried(&mut run, "deploy", "download", &[failed(text), hung.clone(), Outcome::Passed]);
    tried(&mut run, "serve", "fetch_always", &[failed(text), failed(text), died, hung]);
    tried(&mut run, "serve", "slow_sum", &[failed(text), failed(text)]);
    tried(&mut run, "serve", "runs_again", &[failed(text)]);
    collected(&mut run, "deploy", "download", "evidence/deploy.download/README.txt");
    collected(&mut run, "serve", "die", text);
    begun(&mut run, "serve", "runs");
    begun(&mut run, "serve", "runs_again");
    run
}

#[test]
fn every_outcome_has_its_form() {
    let run = with_every_outcome("no page\nexpected <b>\"it works\"</b>");
    let read = |_: &Path, part: Range<u64>, limit| {
        let end = if part.end == u64::MAX { "its end".to_owned() } else { part.end.to_string() };
        Ok(format!("{} to {end}, up to {limit}\n", part.start))
    };
    insta::assert_snapshot!(document::render(&[&run], &read).unwrap());
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
    let run = with_every_outcome("no page");
    lint(&render(&run, "out")).unwrap();
    lint(&document::render(&[&run, &run], &|_, _, _| Ok("out".to_owned())).unwrap()).unwrap();
    lint(&document::render(&[], &|_, _, _| Ok("out".to_owned())).unwrap()).unwrap();
}

/// What has made reports invalid before, here or elsewhere.
const PIECES: &[&[u8]] = &[
    b"",
    b"]]>",
    b"\0",
    b"\x1b[31m",
    b"\x1b]0;",
    b"&<>\"'",
    b"\t\r\n",
    // U+009B, U+FFFE, U+FFFF.
    b"\xc2\x9b",
    b"\xef\xbf\xbe",
    b"\xef\xbf\xbf",
    // Lone surrogates, something beyond Unicode, and no UTF-8 at all.
    b"\xed\xa0\x80",
    b"\xed\xb0\x80",
    b"\xf4\x90\x80\x80",
    b"\xff\xfe",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_bytes_make_a_valid_file(
        output in prop::collection::vec(any::<u8>(), 0..400),
        message in any::<String>(),
        piece in prop::sample::select(PIECES),
    ) {
        let mut bytes = output;
        bytes.extend_from_slice(piece);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let piece = String::from_utf8_lossy(piece);
        let run = with_every_outcome(&format!("{piece}{message}{piece}"));
        prop_assert_eq!(lint(&render(&run, &text)), Ok(()));
    }
}
