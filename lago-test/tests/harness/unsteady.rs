//! Scenarios that are tried again when they fail, and those that are known to fail.

use lago_test::Outcome;
use lago_test::events::{RunResult, What};

use crate::run::{Fixture, Ran, report};

crate::trials![
    a_scenario_is_tried_until_it_passes,
    tries_are_in_the_junit_report,
    what_is_tried_again_is_said_nearest_the_scenario,
    each_try_has_a_worker_of_its_own,
    a_try_that_is_cut_short_says_nothing,
    a_repeated_scenario_is_not_retried,
    an_unstable_scenario_fails_with_its_reason,
    a_known_failure_can_be_tolerated,
    a_tolerated_failure_is_not_the_first_failure,
    a_blocked_scenario_is_never_green,
    a_wrong_switch_is_refused,
];

fn a_scenario_is_tried_until_it_passes() {
    let ran = Fixture::new("unsteady").run();
    assert_eq!(ran.exit_code(), Some(101));
    assert_eq!(
        ran.words(),
        [
            "only::passes_later flaky",
            "only::never_passes failed",
            "only::hangs_once flaky",
            "only::always_dies errored",
            "only::skips_later failed",
            "only::fetch passed",
        ]
    );
    assert_eq!(
        tries(&ran),
        [
            "passes_later 1/3 failed",
            "passes_later 2/3 passed",
            "never_passes 1/3 failed",
            "never_passes 2/3 failed",
            "never_passes 3/3 failed",
            "hangs_once 1/2 timed_out",
            "hangs_once 2/2 passed",
            "always_dies 1/2 errored",
            "always_dies 2/2 errored",
            "skips_later 1/2 failed",
            "skips_later 2/2 skipped",
        ]
    );
    let Outcome::Flaky { attempt: 2, failure } = ran.outcome("only::passes_later") else {
        panic!()
    };
    assert!(failure.starts_with("time 1 is no good\n  at "), "{failure}");
    let never = ran.outcome("only::never_passes").to_string();
    let expected = "time 1 is no good (failed in each of 3 tries; this is the first)\n";
    assert!(never.starts_with(expected), "{never}");
    let skips = ran.outcome("only::skips_later").to_string();
    assert!(skips.contains("no engine (try 2 is skipped: the engine is gone)"), "{skips}");

    let (stdout, stderr) = (ran.stdout(), ran.stderr());
    let line = "test only::passes_later ... flaky, passed at try 2: ok";
    assert!(stdout.lines().any(|printed| printed == line), "{stdout}");
    let line = "only::passes_later passed at try 2; the first try: time 1 is no good";
    assert!(stdout.lines().any(|printed| printed == line), "{stdout}");
    assert!(stdout.contains("1 passed, 2 flaky, 2 failed, 1 errored, in "), "{stdout}");
    assert!(
        stderr.contains("only::passes_later failed at try 1 of 3: time 1 is no good"),
        "{stderr}"
    );
    let log = std::fs::read_to_string(ran.prefix().join("scenarios/only.never_passes.log"));
    let expected = "this is time 1\n---- try 2 of 3 ----\nthis is time 2\n---- try 3 of 3 ----\n";
    assert!(log.as_ref().unwrap().starts_with(expected), "{log:?}");
}

/// `scenario attempt/of outcome`, in order.
fn tries(ran: &Ran) -> Vec<String> {
    let tried = ran.events().into_iter().filter_map(|event| match event.what {
        What::ScenarioTried { scenario, attempt, of, outcome, .. } => {
            Some(format!("{scenario} {attempt}/{of} {}", outcome.word()))
        }
        _ => None,
    });
    tried.collect()
}

fn tries_are_in_the_junit_report() {
    let ran = Fixture::new("unsteady").run();
    let junit = ran.valid_junit();
    assert!(junit.contains(r#"tests="6" failures="2" errors="1""#), "{junit}");
    let case = |name: &str| {
        let from = junit.find(&format!("<testcase name=\"{name}\"")).unwrap();
        junit[from..].split("</testcase>").next().unwrap().to_owned()
    };
    let flaky = case("passes_later");
    assert_eq!(flaky.matches("<flakyFailure message=").count(), 1, "{flaky}");
    assert!(flaky.contains(r#"message="time 1 is no good" type="failed""#), "{flaky}");
    assert!(flaky.contains("<system-out>time 1 ]]&gt;\n</system-out>"), "its own part: {flaky}");
    assert!(flaky.ends_with("<system-out>time 2 ]]&gt;\n</system-out>\n        "), "{flaky}");
    let hung = case("hangs_once");
    assert!(hung.contains("<flakyFailure message=\"timed out"), "{hung}");
    assert!(hung.contains("type=\"timed_out\""), "{hung}");
    let never = case("never_passes");
    assert_eq!(never.matches("<failure ").count(), 1, "{never}");
    assert_eq!(never.matches("<rerunFailure ").count(), 2, "{never}");
    let dies = case("always_dies");
    assert_eq!((dies.matches("<error ").count(), dies.matches("<rerunError ").count()), (1, 1));
    assert_eq!(case("skips_later").matches("rerun").count(), 0);
}

fn what_is_tried_again_is_said_nearest_the_scenario() {
    let ran = Fixture::new("retries_of_all").run();
    assert_eq!(
        ran.words(),
        ["as_the_suite::passes_later flaky", "by_itself::own flaky", "by_itself::stage failed"]
    );
}

fn each_try_has_a_worker_of_its_own() {
    let ran = Fixture::new("retries_of_all").args(&["as_the_suite"]).run();
    assert_eq!(ran.exit_code(), Some(0), "flaky is no failure");
    let is_start = |what: &What| matches!(what, What::WorkerStarted { .. });
    assert_eq!(ran.events().iter().filter(|event| is_start(&event.what)).count(), 2);
    let last = &ran.events().pop().unwrap().what;
    assert_eq!(*last, What::RunFinished { result: RunResult::Passed, exit_code: 0 });
}

fn a_try_that_is_cut_short_says_nothing() {
    let running = Fixture::new("waits_in_a_retry").start();
    running.wait_for("scenarios/only.fails_then_waits.log", "waiting in");
    running.signal("-INT");
    let ran = running.wait();
    assert_eq!(ran.words(), ["only::fails_then_waits failed", "only::fetch not_run"]);
    let outcome = ran.outcome("only::fails_then_waits").to_string();
    let expected = "the first time (tried once, and not again: the run was interrupted)";
    assert!(outcome.starts_with(expected), "{outcome}");
    assert_eq!(tries(&ran), ["fails_then_waits 1/3 failed"]);
    ran.valid_junit();
}

/// Who repeats wants to know how often it fails.
fn a_repeated_scenario_is_not_retried() {
    let ran = Fixture::new("unsteady")
        .args(&["--exact", "only::passes_later"])
        .env("LAGO_REPEAT", "3")
        .run();
    assert_eq!(ran.words(), ["only::passes_later failed"]);
    assert!(ran.stdout().contains("only::passes_later failed 1 of 3 times"), "{}", ran.stdout());
    assert!(tries(&ran).is_empty());
}

fn an_unstable_scenario_fails_with_its_reason() {
    let ran = Fixture::new("unstable").run();
    assert_eq!(ran.exit_code(), Some(101));
    assert_eq!(
        ran.words(),
        [
            "first::tolerated failed",
            "first::install passed",
            "second::hangs timed_out",
            "second::configure blocked",
            "third::fetch passed",
        ]
    );
    let message = r#"<failure message="does not hold: 1 + 1 == 3 (known to be unstable: the sum is slow)" type="failed">"#;
    let junit = ran.valid_junit();
    assert!(junit.contains(message), "{junit}");
    let hangs = ran.outcome("second::hangs").to_string();
    assert!(hangs.ends_with("was killed (known to be unstable: the child is slow)"), "{hangs}");
    assert!(ran.stdout().contains("(known to be unstable: the sum is slow)"), "{}", ran.stdout());
}

fn a_known_failure_can_be_tolerated() {
    let ran = Fixture::new("unstable").env("LAGO_TOLERATE_UNSTABLE", "1").run();
    assert_eq!(ran.exit_code(), Some(0), "{}", ran.stdout());
    assert_eq!(
        ran.words(),
        [
            "first::tolerated known_failure",
            "first::install passed",
            "second::hangs known_failure",
            "second::configure blocked",
            "third::fetch passed",
        ]
    );
    let by = Outcome::Blocked { by: "second::hangs".to_owned() };
    assert_eq!(ran.outcome("second::configure"), by, "what it leaves is not what it should be");
    let junit = ran.valid_junit();
    assert!(junit.contains(r#"tests="5" failures="0" errors="0""#), "{junit}");
    let skipped = r#"<skipped message="known failure (the sum is slow): does not hold: 1 + 1 == 3" type="known_failure">"#;
    assert!(junit.contains(skipped), "{junit}");
    let line = "first::tolerated known failure (the sum is slow): does not hold: 1 + 1 == 3";
    assert!(ran.stdout().lines().any(|printed| printed == line), "{}", ran.stdout());

    let ran = Fixture::new("unstable_and_retried").env("LAGO_TOLERATE_UNSTABLE", "1").run();
    let Outcome::KnownFailure { reason, failure } = ran.outcome("only::never_passes") else {
        panic!("{:?}", ran.words())
    };
    assert_eq!(reason, "the moon is full");
    assert!(failure.contains("failed in each of 2 tries"), "{failure}");
    assert_eq!(report(&[ran.workdir.path().to_str().unwrap()]).status.code(), Some(0));
}

fn a_tolerated_failure_is_not_the_first_failure() {
    let fail_fast = || Fixture::new("unstable").args(&["--fail-fast"]);
    let ran = fail_fast().env("LAGO_TOLERATE_UNSTABLE", "1").run();
    assert_eq!(ran.words().pop().unwrap(), "third::fetch passed");
    let ran = fail_fast().run();
    assert_eq!(ran.words()[1], "first::install not_run");
}

fn a_blocked_scenario_is_never_green() {
    let ran = Fixture::new("unstable")
        .args(&["second"])
        .env("LAGO_TOLERATE_UNSTABLE", "1")
        .env("NEXTEST", "1")
        .env("LAGO_NEXTEST", "scenario")
        .run();
    assert_eq!(ran.exit_code(), Some(101), "{}", ran.stdout());
    assert!(ran.stdout().contains("second::configure"), "{}", ran.stdout());
}

fn a_wrong_switch_is_refused() {
    let ran = Fixture::new("unstable").env("LAGO_TOLERATE_UNSTABLE", "yes").run();
    assert_eq!(ran.exit_code(), Some(2));
    assert!(ran.stderr().contains("LAGO_TOLERATE_UNSTABLE=yes: it is `1` or `0`"));
}
