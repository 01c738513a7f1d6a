//! One environment through several runs of its suite.

use std::fs;

use lago_system_tests::init_file;

use crate::run::Fixture;

pub(crate) fn states_outlive_their_run() {
    let fixture = Fixture::new("branches", "states-life");
    a_branch_goes_on_after_a_failure(&fixture);
    a_scenario_alone_saves_the_state_before_it(&fixture);
    a_run_starts_from_a_stage(&fixture);
    a_scenario_is_repeated_from_one_state(&fixture);
    another_image_makes_an_environment_of_its_own(&fixture);
    another_init_file_makes_an_environment_of_its_own(&fixture);
}

fn a_branch_goes_on_after_a_failure(fixture: &Fixture) {
    let ran = fixture.expect(
        &["LAGO_FIXTURE_FAIL=1"],
        101,
        &[
            "after::goes_on passed",
            "deploy::install passed",
            "failover::takes_over passed",
            "serve::first passed",
            "serve::second failed",
            "serve::third blocked",
        ],
    );
    assert_eq!(fixture.restored(), ["deploy"]);
    assert!(ran.stdout.contains("nothing runs; the saved states stay on disk"), "{}", ran.stdout);
    fixture.assert_down();
}

fn a_scenario_alone_saves_the_state_before_it(fixture: &Fixture) {
    let alone = ["--exact", "serve::third"];
    let ran = fixture.expect(
        &alone,
        0,
        &["serve::first passed", "serve::second passed", "serve::third passed"],
    );
    assert!(
        ran.stderr.contains("starting from what an earlier run saved: `deploy` ("),
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.contains("test [prerequisite] serve::first"), "{}", ran.stdout);

    let again = fixture.expect(&alone, 0, &["serve::third passed"]);
    assert!(again.stderr.contains("`before.serve.third` ("), "{}", again.stderr);
    assert_eq!(fixture.restored(), ["before.serve.third"]);
    fixture.assert_down();
}

fn a_run_starts_from_a_stage(fixture: &Fixture) {
    fixture.expect(&["LAGO_FROM=failover"], 0, &["after::goes_on passed"]);
    let refused = fixture.run(&["LAGO_FROM=serve"]).failed(2);
    let expected = "LAGO_FROM=serve: the state `serve` is not there; those that are there: start, deploy, failover";
    assert!(refused.contains(expected), "{refused}");
}

fn a_scenario_is_repeated_from_one_state(fixture: &Fixture) {
    let arguments = ["--exact", "failover::takes_over", "LAGO_REPEAT=3"];
    let ran = fixture.expect(&arguments, 0, &["failover::takes_over passed"]);
    let line = "failover::takes_over failed 0 of 3 times";
    assert!(ran.stdout.lines().any(|printed| printed == line), "{}", ran.stdout);
    assert_eq!(fixture.restored(), ["deploy"; 3]);
}

/// An image counts with the place where it is stored.
fn another_image_makes_an_environment_of_its_own(fixture: &Fixture) {
    let store = format!("LAGO_STORE={}", fixture.place.join("store").display());
    let arguments = ["--exact", "failover::takes_over", &store];
    let ran =
        fixture.expect(&arguments, 0, &["deploy::install passed", "failover::takes_over passed"]);
    let expected = "a template, the acceleration or a program has changed since states were saved";
    assert!(ran.stderr.contains(expected), "{}", ran.stderr);
}

fn another_init_file_makes_an_environment_of_its_own(fixture: &Fixture) {
    let usual = fs::read_to_string(init_file("one-vm.yaml")).expect("it can be read");
    let other = fixture.place.join("other.yaml");
    fs::write(&other, usual.replace("memory: 128", "memory: 136")).expect("it can be written");
    let variable = format!("LAGO_FIXTURE_INIT_FILE={}", other.display());
    let arguments = ["--exact", "failover::takes_over", "LAGO_KEEP=never", &variable];
    let ran =
        fixture.expect(&arguments, 0, &["deploy::install passed", "failover::takes_over passed"]);
    assert!(
        ran.stderr.contains("the init file has changed since states were saved"),
        "{}",
        ran.stderr
    );
    fixture.assert_removed();
}
