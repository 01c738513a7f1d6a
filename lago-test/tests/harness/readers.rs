//! The JUnit report as two readers see it that have nothing to do with each other nor with what writes it: Python's
//! junitparser and the crate junit-parser.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::process::Command;

use junit_parser::{RerunOrFlakyKind, TestStatus, TestSuites};
use serde::Deserialize;

use crate::run::{Fixture, Ran, report};

crate::trials![
    readers_see_what_happened,
    readers_see_what_was_printed,
    readers_see_every_suite_of_a_merged_report,
];

/// The distribution's, which has the distribution's junitparser. The one in the search path may be another.
const PYTHON: &str = "/usr/bin/python3";

/// What a reader finds in a report.
#[derive(Debug, PartialEq, Deserialize)]
struct Found {
    totals: Totals,
    /// By the name of the suite.
    suites: BTreeMap<String, Vec<Case>>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Totals {
    tests: u64,
    failures: u64,
    errors: u64,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Case {
    class: String,
    name: String,
    time: f64,
    results: Vec<Result>,
    reruns: Vec<Result>,
    output: String,
}

/// An element's name, its type and its message.
type Result = (String, String, String);

fn by_junitparser(path: &Path) -> Found {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/harness/readers/junitparser_cases.py");
    let output = Command::new(PYTHON).arg(script).arg(path).output();
    let output =
        output.unwrap_or_else(|error| panic!("{PYTHON} (Debian package python3): {error}"));
    assert!(
        output.status.success(),
        "junitparser (Debian package python3-junitparser) does not read it: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn by_junit_parser(path: &Path) -> Found {
    let read: TestSuites =
        junit_parser::from_reader(BufReader::new(File::open(path).unwrap())).unwrap();
    let suites = read.suites.into_iter().map(|suite| {
        let cases = suite.cases.into_iter().map(|case| Case {
            class: case.classname.unwrap_or_default(),
            name: case.original_name,
            time: case.time,
            results: result(case.status).into_iter().collect(),
            reruns: case
                .reruns
                .into_iter()
                .map(|rerun| (tag(rerun.kind).to_owned(), rerun.rerun_type, rerun.message))
                .collect(),
            output: case.system_out.unwrap_or_default(),
        });
        (suite.name, cases.collect())
    });
    Found {
        suites: suites.collect(),
        totals: Totals { tests: read.tests, failures: read.failures, errors: read.errors },
    }
}

fn result(status: TestStatus) -> Option<Result> {
    match status {
        TestStatus::Success => None,
        TestStatus::Error(error) => Some(("error".into(), error.error_type, error.message)),
        TestStatus::Failure(failure) => {
            Some(("failure".into(), failure.failure_type, failure.message))
        }
        TestStatus::Skipped(skipped) => {
            Some(("skipped".into(), skipped.skipped_type, skipped.message))
        }
    }
}

fn tag(kind: RerunOrFlakyKind) -> &'static str {
    match kind {
        RerunOrFlakyKind::FlakyFailure => "flakyFailure",
        RerunOrFlakyKind::FlakyError => "flakyError",
        RerunOrFlakyKind::RerunFailure => "rerunFailure",
        RerunOrFlakyKind::RerunError => "rerunError",
    }
}

/// What both readers find, which is the same.
fn read(path: &Path) -> Found {
    let (found, mut same) = (by_junitparser(path), by_junit_parser(path));
    // junit-parser 1.7 loses references (`&gt;`) in texts, not in attributes.
    for (name, cases) in &mut same.suites {
        for (case, full) in cases.iter_mut().zip(&found.suites[name]) {
            if without_references(&full.output) == without_references(&case.output) {
                case.output.clone_from(&full.output);
            }
        }
    }
    assert_eq!(found, same, "{}", path.display());
    found
}

fn without_references(text: &str) -> String {
    text.replace(['&', '<', '>', '"', '\''], "")
}

/// What the events say that a reader should find for each scenario.
fn expected(ran: &Ran) -> Vec<(String, Option<&'static str>)> {
    let outcomes = ran.outcomes().into_iter().map(|(name, outcome)| {
        let tag = match outcome.word() {
            "passed" | "flaky" => None,
            "failed" => Some("failure"),
            "errored" | "timed_out" => Some("error"),
            _ => Some("skipped"),
        };
        (name, tag)
    });
    outcomes.collect()
}

fn readers_see_what_happened() {
    for name in ["unsteady", "endings", "blocking", "skipping", "printing", "unstable"] {
        let ran = Fixture::new(name).env("LAGO_TOLERATE_UNSTABLE", "1").run();
        ran.valid_junit();
        let found = read(&ran.junit_path());
        let cases = &found.suites[name];
        let seen: Vec<_> = cases
            .iter()
            .map(|case| {
                let stage = case.class.strip_prefix(&format!("{name}.")).unwrap();
                let tag = case.results.first().map(|(tag, ..)| tag.as_str());
                assert!(case.results.len() <= 1, "{case:?}");
                (format!("{stage}::{}", case.name), tag)
            })
            .collect();
        assert_eq!(seen, expected(&ran));
        let count = |tag| seen.iter().filter(|(_, seen)| *seen == Some(tag)).count() as u64;
        let totals =
            Totals { tests: seen.len() as u64, failures: count("failure"), errors: count("error") };
        assert_eq!(found.totals, totals);
    }
}

fn readers_see_what_was_printed() {
    let ran = Fixture::new("printing").run();
    let found = read(&ran.junit_path());
    let output = |name| {
        let mut cases = found.suites["printing"].iter();
        cases.find(|case| case.name == name).unwrap().output.as_str()
    };
    assert_eq!(output("says_hello"), "hello from the scenario\nand from its standard error\n");
    assert_eq!(output("quiet"), "");
    assert_eq!(
        output("any_bytes"),
        "red nul:␀ bad:\u{fffd}\u{fffd} cdata:]]> noncharacter:\u{fffd}       tab\n\
         surrogate:\u{fffd}\u{fffd}\u{fffd}\n␛]0;unfinished title; after"
    );
}

fn readers_see_every_suite_of_a_merged_report() {
    let (flaky, failing) = (Fixture::new("unsteady").run(), Fixture::new("blocking").run());
    let directory = tempfile::tempdir().unwrap();
    let merged = directory.path().join("all.xml");
    let paths = [&flaky, &failing].map(|ran| ran.prefix().to_str().unwrap().to_owned());
    let output = report(&[&paths[0], &paths[1], "--merge", merged.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    let mut found = read(&merged);
    for ran in [&flaky, &failing] {
        let alone = read(&ran.junit_path());
        for (name, cases) in alone.suites {
            assert_eq!(found.suites.remove(&name), Some(cases));
        }
        found.totals.tests -= alone.totals.tests;
        found.totals.failures -= alone.totals.failures;
        found.totals.errors -= alone.totals.errors;
    }
    assert!(found.suites.is_empty());
    assert_eq!(found.totals, Totals { tests: 0, failures: 0, errors: 0 });
}
