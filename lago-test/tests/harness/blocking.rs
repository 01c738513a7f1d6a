//! What runs, what is blocked by what, and what is skipped.

use lago_test::Outcome;
use lago_test::events::{RunResult, What};

use crate::run::Fixture;

crate::trials![
    all_pass,
    a_failure_blocks_the_rest_and_later_stages,
    blocked_is_never_green_under_nextest,
    a_branch_is_not_blocked_by_its_sibling,
    skipped_blocks_nothing,
    parameters_are_handed_over,
];

fn all_pass() {
    let ran = Fixture::new("passing").run();
    assert_eq!(ran.exit_code(), Some(0), "{}{}", ran.stdout(), ran.stderr());
    let passed = ["deploy::install passed", "deploy::configure passed", "serve::fetch passed"];
    assert_eq!(ran.words(), passed);

    let events = ran.events();
    let What::RunStarted { suite, planned, .. } = &events[0].what else {
        panic!("the first event is {:?}", events[0])
    };
    assert_eq!((suite.as_str(), planned.len()), ("passing", 3));
    let last = &events.last().unwrap().what;
    assert_eq!(*last, What::RunFinished { result: RunResult::Passed, exit_code: 0 });

    let junit = ran.valid_junit();
    assert!(junit.contains(r#"name="fetch" classname="passing.serve""#), "{junit}");
    let path = ran.junit_path().display().to_string();
    assert!(ran.stdout().lines().any(|line| line == path), "{}", ran.stdout());
}

fn a_failure_blocks_the_rest_and_later_stages() {
    let ran = Fixture::new("blocking").run();
    assert_eq!(ran.exit_code(), Some(101));
    assert_eq!(
        ran.words(),
        [
            "first::tolerated failed",
            "first::install passed",
            "first::broken failed",
            "first::configure blocked",
            "second::fetch blocked",
        ]
    );
    assert_eq!(ran.outcome("second::fetch"), Outcome::Blocked { by: "first::broken".into() });

    let stdout = ran.stdout();
    assert!(stdout.contains("second::fetch    ... ignored (blocked by first::broken)"), "{stdout}");
    assert!(stdout.contains("No such file or directory"), "{stdout}");
    assert!(stdout.contains("---- output ----\nabout to fail"), "{stdout}");
    assert!(stdout.contains("1 passed, 2 failed, 2 blocked"), "{stdout}");
    let junit = ran.valid_junit();
    assert!(junit.contains(r#"<skipped message="blocked by first::broken""#), "{junit}");
    assert!(junit.contains(r#"<failure message="does not hold: 1 + 1 == 3""#), "{junit}");
}

fn blocked_is_never_green_under_nextest() {
    let ran = Fixture::new("blocking")
        .args(&["--exact", "second::fetch", "--nocapture"])
        .env("NEXTEST", "1")
        .env("LAGO_NEXTEST", "scenario")
        .run();
    assert_eq!(ran.exit_code(), Some(101));
    let stdout = ran.stdout();
    assert!(stdout.contains("second::fetch    ... FAILED"), "{stdout}");
    assert!(stdout.contains("---- second::fetch ----\nblocked by first::broken"), "{stdout}");
}

fn a_branch_is_not_blocked_by_its_sibling() {
    let ran = Fixture::new("branching").run();
    assert_eq!(ran.exit_code(), Some(101));
    assert_eq!(
        ran.words(),
        [
            "deploy::install passed",
            "serve::broken failed",
            "serve::configure blocked",
            "failover::fetch passed",
            "after::fetch passed",
            "on_serve::fetch blocked",
            "bare::fetch passed",
        ]
    );
    let alone = Fixture::new("branching").args(&["--exact", "after::fetch"]).run();
    assert_eq!(
        alone.words(),
        ["deploy::install passed", "failover::fetch passed", "after::fetch passed"]
    );
    let bare = Fixture::new("branching").args(&["--exact", "bare::fetch"]).run();
    assert_eq!(bare.words(), ["bare::fetch passed"]);
}

fn skipped_blocks_nothing() {
    let ran = Fixture::new("skipping").run();
    assert_eq!(ran.exit_code(), Some(0));
    assert_eq!(
        ran.words(),
        ["only::skipped skipped", "only::install skipped", "only::configure passed"]
    );
    let stdout = ran.stdout();
    assert!(stdout.contains("ignored (nothing to do on Tuesdays)"), "{stdout}");
    assert!(stdout.contains("ignored (no hosts)"), "{stdout}");
    assert!(ran.valid_junit().contains(r#"<skipped message="no hosts""#));
}

fn parameters_are_handed_over() {
    let ran = Fixture::new("parameters").run();
    assert_eq!(ran.exit_code(), Some(0), "{}", ran.stdout());
}
