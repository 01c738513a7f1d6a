//! `lago-test report`: reports from what a run has left.

use crate::run::{Fixture, Ran, report};

crate::trials![a_report_is_written_anew_from_events, what_cannot_be_reported_on_is_named];

fn path(ran: &Ran) -> String {
    ran.workdir.path().to_str().unwrap().to_owned()
}

fn a_report_is_written_anew_from_events() {
    let ran = Fixture::new("blocking").run();
    let written = ran.valid_junit();
    std::fs::remove_file(ran.junit_path()).unwrap();
    let output = report(&[&path(&ran)]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(ran.valid_junit(), written);
    let said = String::from_utf8(output.stdout).unwrap();
    let junit = ran.junit_path().to_str().unwrap().to_owned();
    assert!(said.lines().any(|line| line == junit), "{said}");

    let merged = ran.workdir.path().join("reports/all.xml");
    let output = report(&[&path(&ran), "--merge", merged.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(std::fs::read_to_string(merged).unwrap(), written, "one run, merged, is that run");
}

fn what_cannot_be_reported_on_is_named() {
    let empty = tempfile::tempdir().unwrap();
    let path = empty.path().to_str().unwrap();
    let output = report(&[path]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&format!("no run has left an events.jsonl in {path}")), "{said}");
    assert_eq!(report(&["--no-such-option"]).status.code(), Some(2));
}
