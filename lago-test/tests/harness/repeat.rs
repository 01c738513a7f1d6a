//! `LAGO_REPEAT`: how often a scenario fails.

use lago_test::events::What;

use crate::run::Fixture;

crate::trials![failures_are_counted, prerequisites_run_once, an_interrupt_is_no_failure_of_several];

fn failures_are_counted() {
    let ran = Fixture::new("flaky").env("LAGO_REPEAT", "7").run();
    assert_eq!(ran.exit_code(), Some(101));
    assert_eq!(
        ran.words(),
        [
            "only::install passed",
            "only::flaky failed",
            "only::dies_once errored",
            "only::skipped skipped"
        ]
    );
    let stdout = ran.stdout();
    for line in [
        "only::install failed 0 of 7 times",
        "only::flaky failed 2 of 7 times",
        "only::dies_once failed 1 of 7 times",
    ] {
        assert!(stdout.lines().any(|printed| printed == line), "{line}: {stdout}");
    }
    assert!(!stdout.contains("skipped failed"), "{stdout}");
    let flaky = ran.outcome("only::flaky").to_string();
    assert!(flaky.contains("failed 2 of 7 times; repetition 3"), "{flaky}");
    assert!(flaky.contains("time 3 is no good"), "{flaky}");

    let repetitions = ran.events().into_iter().filter_map(|event| match event.what {
        What::ScenarioRepeated { scenario, repetition, of: 7, outcome, .. }
            if scenario == "flaky" =>
        {
            Some((repetition, outcome.word()))
        }
        _ => None,
    });
    let failed: Vec<_> = repetitions.filter(|(_, word)| *word == "failed").collect();
    assert_eq!(failed, [(3, "failed"), (6, "failed")]);

    let log = std::fs::read_to_string(ran.prefix().join("scenarios/only.flaky.log")).unwrap();
    assert!(log.contains("---- repetition 7 of 7 ----\ntime 7\n"), "{log}");
    let junit = ran.valid_junit();
    let property = r#"<property name="repeat.only::flaky" value="failed 2 of 7 times"/>"#;
    assert!(junit.contains(property), "{junit}");
}

fn an_interrupt_is_no_failure_of_several() {
    let running = Fixture::new("slow").env("LAGO_REPEAT", "2").start();
    running.wait_for("scenarios/only.waits.log", "waiting in");
    running.signal("-INT");
    let ran = running.wait();
    assert_eq!(
        ran.words(),
        ["only::says_hello passed", "only::waits errored", "only::fetch not_run"]
    );
    let waits = ran.outcome("only::waits").to_string();
    assert!(waits.starts_with("interrupted by SIGINT"), "{waits}");
    assert!(!ran.stdout().contains("waits failed"), "{}", ran.stdout());
    let mut repeated = ran.events().into_iter().filter_map(|event| match event.what {
        What::ScenarioRepeated { scenario, .. } => Some(scenario),
        _ => None,
    });
    assert!(repeated.all(|scenario| scenario == "says_hello"));
}

fn prerequisites_run_once() {
    let ran = Fixture::new("flaky").args(&["--exact", "only::flaky"]).env("LAGO_REPEAT", "2").run();
    assert_eq!(ran.words(), ["only::install passed", "only::flaky passed"]);
    assert!(!ran.stdout().contains("install failed"), "{}", ran.stdout());
}
