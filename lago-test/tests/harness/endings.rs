//! Every way in which a scenario can end a worker, none of which ends the run.

use lago_test::Outcome;
use lago_test::events::What;

use crate::run::{Fixture, Ran, is_alive};

crate::trials![
    nothing_ends_the_run,
    a_run_outlives_its_program,
    panics_have_backtraces_when_asked,
    a_thousand_scenarios
];

fn nothing_ends_the_run() {
    let ran = Fixture::new("endings").run();
    assert_eq!(ran.exit_code(), Some(101));
    assert_eq!(
        ran.words(),
        [
            "only::panics failed",
            "only::panics_elsewhere failed",
            "only::aborts errored",
            "only::exits_zero errored",
            "only::overflows errored",
            "only::killed errored",
            "only::hangs timed_out",
            "only::needs_what_is_broken errored",
            "only::prints_to_the_coordinator passed",
            "only::fetch passed",
        ]
    );
    panics_say_where(&ran);
    errors_say_how(&ran);
    a_hanging_scenario_leaves_nothing(&ran);
    dead_workers_are_replaced(&ran);

    let junit = ran.valid_junit();
    assert!(junit.contains(r#"tests="10" failures="2" errors="6""#), "{junit}");
    assert!(junit.contains("printed before the abort"), "{junit}");
}

fn panics_say_where(ran: &Ran) {
    let Outcome::Failed { failure } = ran.outcome("only::panics") else { panic!() };
    assert_eq!(failure.message(), "panicked: there is a number");
    assert!(failure.location().unwrap().contains("fixtures.rs:"), "{failure}");
}

fn errors_say_how(ran: &Ran) {
    let says = |name: &str, text: &str| {
        let outcome = ran.outcome(name).to_string();
        assert!(outcome.contains(text), "{name}: {outcome}");
    };
    says("only::aborts", "the worker died in this scenario: killed by signal 6 (SIGABRT)");
    says("only::exits_zero", "exited with code 0");
    says("only::overflows", "killed by signal");
    says("only::killed", "killed by signal 9 (SIGKILL)");
    says("only::hangs", "still running after 2 s");
    says("only::needs_what_is_broken", "the engine does not answer");
}

fn a_hanging_scenario_leaves_nothing(ran: &Ran) {
    let log = std::fs::read_to_string(ran.prefix().join("scenarios/only.hangs.log")).unwrap();
    let child = log.trim().strip_prefix("child ").unwrap();
    assert!(!is_alive(child), "the scenario's child {child} lives on");
}

fn dead_workers_are_replaced(ran: &Ran) {
    let started = ran
        .events()
        .iter()
        .filter(|event| matches!(event.what, What::WorkerStarted { .. }))
        .count();
    assert_eq!(started, 6, "one at first, and one after each of five deaths");
}

/// `cargo build` in another window, or an editor that runs it.
fn a_run_outlives_its_program() {
    for launcher in ["", "env LAUNCHED=1"] {
        let ran = Fixture::in_its_own_program("rebuilt").env("LAGO_TEST_LAUNCHER", launcher).run();
        assert_eq!(
            ran.words(),
            [
                "only::its_program_is_gone errored",
                "only::install passed",
                "only::its_program_is_another errored",
                "only::fetch passed",
            ],
            "{}{}",
            ran.stdout(),
            ran.stderr()
        );
        let said = ran.outcome("only::its_program_is_gone").to_string();
        assert!(said.contains("exited with code 0"), "{said}");
    }
}

fn panics_have_backtraces_when_asked() {
    let ran =
        Fixture::new("endings").args(&["--exact", "only::panics"]).env("RUST_BACKTRACE", "1").run();
    let text = ran.outcome("only::panics").to_string();
    assert!(text.contains("fixtures::panics"), "{text}");
}

fn a_thousand_scenarios() {
    let ran = Fixture::new("many").run();
    assert_eq!(ran.exit_code(), Some(0));
    assert_eq!(ran.outcomes().len(), 1000);
    assert!(ran.valid_junit().contains(r#"tests="1000""#));
}
