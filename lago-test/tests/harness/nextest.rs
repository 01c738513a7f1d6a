//! Suites under the installed `cargo nextest`, with the configuration that the README shows.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use lago_test::events::{RunResult, What};
use libtest_mimic::Trial;
use serde_json::Value;

use crate::cargo_nextest;
use crate::run::{Fixture, Ran, wait_until};

/// Some test failed; nextest's own code.
const TESTS_FAILED: Option<i32> = Some(100);

pub(crate) fn trials() -> Vec<Trial> {
    let trials: [(&str, fn()); 9] = [
        ("a_suite_is_one_test", a_suite_is_one_test),
        ("a_suite_fails_as_a_whole", a_suite_fails_as_a_whole),
        ("each_scenario_is_a_test_when_wanted", each_scenario_is_a_test_when_wanted),
        ("processes_of_one_run_make_one_record", processes_of_one_run_make_one_record),
        ("a_later_try_of_nextest_makes_a_scenario_flaky", a_later_try_of_nextest_is_flaky),
        ("a_blocked_scenario_is_never_green", a_blocked_scenario_is_never_green),
        ("ignored_scenarios_run_when_wanted", ignored_scenarios_run_when_wanted),
        ("scenarios_of_one_suite_are_in_the_group", scenarios_of_one_suite_are_in_the_group),
        ("a_run_that_is_ended_has_time_to_end", a_run_that_is_ended_has_time_to_end),
    ];
    trials.map(|(name, test)| cargo_nextest::trial(format!("nextest::{name}"), test)).into()
}

/// What nextest lists, and whether it is ignored.
fn list(name: &str, unit: &str) -> Vec<(String, bool)> {
    let ran = Fixture::under_nextest(name, &["list", "--message-format", "json"])
        .env("LAGO_NEXTEST", unit)
        .run();
    assert_eq!(ran.exit_code(), Some(0), "{}", ran.stderr());
    assert!(!ran.prefix().exists(), "listing writes nothing");
    let listed: Value = serde_json::from_str(&ran.stdout()).unwrap();
    let cases = listed["rust-suites"]["demo::web"]["testcases"].as_object().unwrap();
    let cases = cases.iter().map(|(name, case)| (name.clone(), case["ignored"] == true));
    cases.collect()
}

fn by_scenario(name: &str, options: &[&str]) -> Ran {
    let arguments = [&["run", "--no-fail-fast"], options].concat();
    Fixture::under_nextest(name, &arguments).env("LAGO_NEXTEST", "scenario").run()
}

/// The tests with this result, as nextest reports it while it runs.
fn with_result(ran: &Ran, result: &str) -> BTreeSet<String> {
    let stderr = ran.stderr();
    let result = format!("{result} [");
    let lines = stderr.lines().filter(|line| line.trim_start().starts_with(&result));
    lines.map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect()
}

fn a_suite_is_one_test() {
    assert_eq!(list("passing", ""), [("passing".to_owned(), false)]);
    let ran = Fixture::under_nextest("passing", &["run"]).run();
    assert_eq!(ran.exit_code(), Some(0), "{}", ran.stderr());
    assert!(ran.stderr().contains("1 test run: 1 passed"), "{}", ran.stderr());
    let passed = ["deploy::install passed", "deploy::configure passed", "serve::fetch passed"];
    assert_eq!(ran.words(), passed);
    assert_eq!(ran.valid_junit().matches("<testcase ").count(), 3);

    let filtered =
        Fixture::under_nextest("passing", &["run", "install", "--no-tests", "pass"]).run();
    assert_eq!(filtered.exit_code(), Some(0), "{}", filtered.stderr());
    assert!(!filtered.prefix().exists(), "the suite is not called so");
}

fn a_suite_fails_as_a_whole() {
    let ran = Fixture::under_nextest("blocking", &["run"]).run();
    assert_eq!(ran.exit_code(), TESTS_FAILED, "{}", ran.stderr());
    assert_eq!(with_result(&ran, "FAIL"), ["blocking".to_owned()].into());
    let stderr = ran.stderr();
    assert!(stderr.contains("second::fetch    ... ignored (blocked by first::broken)"), "{stderr}");
    assert!(stderr.contains("[first::broken] about to fail"), "output comes with it: {stderr}");
}

fn each_scenario_is_a_test_when_wanted() {
    let names = ["deploy::configure", "deploy::install", "serve::fetch"];
    assert_eq!(list("passing", "scenario"), names.map(|name| (name.to_owned(), false)));
    let ran = by_scenario("passing", &[]);
    assert_eq!(ran.exit_code(), Some(0), "{}", ran.stderr());
    assert_eq!(with_result(&ran, "PASS"), names.map(ToOwned::to_owned).into());

    let wrong = Fixture::under_nextest("passing", &["list"]).env("LAGO_NEXTEST", "stage").run();
    assert_ne!(wrong.exit_code(), Some(0));
    assert!(
        wrong.stderr().contains("LAGO_NEXTEST=stage: it is `suite` or `scenario`"),
        "{}",
        wrong.stderr()
    );
}

fn processes_of_one_run_make_one_record() {
    let ran = by_scenario("printing", &[]);
    assert_eq!(ran.exit_code(), TESTS_FAILED, "{}", ran.stderr());
    let text = std::fs::read_to_string(ran.prefix().join("events.jsonl")).unwrap();
    assert_eq!(text.matches(r#""event":"run_started""#).count(), 4, "{text}");

    let mut words = ran.words();
    words.sort();
    let expected = [
        "only::any_bytes failed",
        "only::child_prints passed",
        "only::quiet passed",
        "only::says_hello passed",
    ];
    assert_eq!(words, expected);
    let last = ran.events().pop().unwrap().what;
    assert_eq!(last, What::RunFinished { result: RunResult::Failed, exit_code: 101 });
    let junit = ran.valid_junit();
    assert_eq!(junit.matches("<testcase ").count(), 4, "{junit}");
    assert_eq!(
        junit.matches("hello from the scenario").count(),
        1,
        "one process's output: {junit}"
    );

    let log = |name: &str| std::fs::read(ran.prefix().join("scenarios").join(name)).is_ok();
    assert!(log("only.says_hello.log") && log("only.says_hello.4.log"), "a log for each process");
}

fn a_later_try_of_nextest_is_flaky() {
    let ran = by_scenario("second_try", &["--retries", "1"]);
    assert_eq!(ran.exit_code(), Some(0), "{}", ran.stderr());
    assert_eq!(ran.words(), ["only::counts flaky"]);
    let junit = ran.valid_junit();
    assert!(junit.contains(r#"<flakyFailure message="only once""#), "{junit}");
}

fn a_blocked_scenario_is_never_green() {
    let ran = by_scenario("blocking", &[]);
    assert_eq!(ran.exit_code(), TESTS_FAILED, "{}", ran.stderr());
    assert_eq!(with_result(&ran, "PASS"), ["first::install".to_owned()].into());
    let failed = ["first::broken", "first::configure", "first::tolerated", "second::fetch"];
    assert_eq!(with_result(&ran, "FAIL"), failed.map(ToOwned::to_owned).into());
    let junit = ran.valid_junit();
    assert_eq!(
        junit.matches(r#"<skipped message="blocked by first::broken""#).count(),
        2,
        "{junit}"
    );
    assert!(junit.contains(r#"<failure message="does not hold: 1 + 1 == 3""#), "{junit}");
}

fn ignored_scenarios_run_when_wanted() {
    let listed = list("ignoring", "scenario").into_iter();
    let ignored: Vec<_> = listed.filter_map(|(name, ignored)| ignored.then_some(name)).collect();
    assert_eq!(ignored, ["all::skipped", "first::broken", "last::post"]);
    let ran = by_scenario("ignoring", &["--run-ignored", "only"]);
    assert_eq!(
        with_result(&ran, "PASS"),
        ["all::skipped".to_owned(), "last::post".to_owned()].into()
    );
    assert_eq!(with_result(&ran, "FAIL"), ["first::broken".to_owned()].into());
    assert_eq!(list("ignoring", "suite"), [("ignoring".to_owned(), false)]);
}

fn scenarios_of_one_suite_are_in_the_group() {
    let ran = Fixture::under_nextest("passing", &["show-config", "test-groups"])
        .env("LAGO_NEXTEST", "scenario")
        .run();
    assert_eq!(ran.exit_code(), Some(0), "{}", ran.stderr());
    let stdout = ran.stdout();
    assert!(stdout.contains("group: web (max threads = 1)"), "{stdout}");
    for name in ["deploy::install", "serve::fetch"] {
        assert!(stdout.contains(name), "{stdout}");
    }
}

/// By default nextest kills what does not end within ten seconds. Here the coordinator is held up for longer.
fn a_run_that_is_ended_has_time_to_end() {
    let running = Fixture::under_nextest("slow", &["run"]).start();
    running.wait_for("scenarios/only.waits.log", "waiting in");
    let started = running.wait_for("events.jsonl", "run_started");
    let started: Value = serde_json::from_str(started.lines().next().unwrap()).unwrap();
    let coordinator = started["pid"].to_string();
    signal(&coordinator, "-STOP");
    running.signal("-TERM");
    thread::sleep(Duration::from_secs(11));
    signal(&coordinator, "-CONT");
    let ran = running.wait();
    assert_ne!(ran.exit_code(), Some(0));
    let last = ran.events().pop().unwrap().what;
    assert_eq!(last, What::RunFinished { result: RunResult::Interrupted, exit_code: 143 });
    assert!(ran.valid_junit().contains(r#"<skipped message="not run: interrupted by SIGTERM""#));
}

fn signal(pid: &str, signal: &str) {
    let status = std::process::Command::new("kill").args([signal, pid]).status().unwrap();
    assert!(status.success());
    if signal == "-STOP" {
        let state = || std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        wait_until("the stop", || state().contains("State:\tT"));
    }
}
