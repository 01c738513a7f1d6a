//! One environment through several runs of its suite.

use std::fs::{self, File};
use std::io;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use lago_system_tests::{init_file, wait_until};
use rustix::process::{Pid, Signal, kill_process};

use crate::run::Fixture;

pub(crate) fn states_outlive_their_run() {
    let fixture = Fixture::new("branches", "states-life");
    a_branch_goes_on_after_a_failure(&fixture);
    a_scenario_alone_saves_the_state_before_it(&fixture);
    a_run_starts_from_a_stage(&fixture);
    a_failed_take_over_keeps_the_states(&fixture);
    old_states_are_not_used_when_each_scenario_is_a_run(&fixture);
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

/// What keeps it from taking over is a fork that this lago must not remove.
fn a_failed_take_over_keeps_the_states(fixture: &Fixture) {
    let fork = fixture.place.join("default/forks/newer");
    fs::create_dir_all(&fork).expect("it can be made");
    let record = r#"{"format": 1000000, "lago": "99.0.0"}"#;
    fs::write(fork.join("prefix.json"), record).expect("it can be written");
    let alone = ["--exact", "failover::takes_over"];
    let ran = fixture.expect(&alone, 3, &["failover::takes_over errored"]);
    assert!(ran.stdout.contains("forks/newer"), "{}", ran.stdout);
    fs::remove_dir_all(&fork).expect("it can be removed");
    interrupt_a_take_over(fixture);

    // Nobody reads what it says, and that is no reason either.
    let (reader, writer) = io::pipe().expect("there are pipes");
    drop(reader);
    let status = fixture.command(&alone).stdout(Stdio::null()).stderr(writer).status();
    assert_eq!(status.expect("it runs").code(), Some(0));
    assert_eq!(fixture.outcomes(), ["failover::takes_over passed"]);
    assert_eq!(fixture.restored(), ["deploy"]);
    fixture.assert_down();
}

/// It waits for a fork that somebody else has, which can be removed later.
fn interrupt_a_take_over(fixture: &Fixture) {
    let fork = fixture.place.join("default/forks/held");
    fs::create_dir_all(&fork).expect("it can be made");
    File::create(fork.join(".lago-unfinished")).expect("it can be made");
    let held = File::create(fork.join("lock")).expect("it can be made");
    held.lock().expect("nobody else has it");
    let said = fixture.place.join("stderr");
    let mut run = fixture
        .command(&["--exact", "failover::takes_over"])
        .stdout(Stdio::null())
        .stderr(File::create(&said).expect("it can be made"))
        .spawn()
        .expect("it runs");
    let has_said = |text| fs::read_to_string(&said).is_ok_and(|said| said.contains(text));
    wait_until("the take-over", || has_said("starting from what an earlier run saved"));
    kill_process(Pid::from_child(&run), Signal::INT).expect("it runs");
    wait_until("the interrupt", || has_said("once more to leave at once"));
    // Until the take-over is given up, which is not told of.
    thread::sleep(Duration::from_secs(1));
    drop(held);
    assert_eq!(run.wait().expect("it is a child").code(), Some(130));
    fixture.assert_down();
}

fn old_states_are_not_used_when_each_scenario_is_a_run(fixture: &Fixture) {
    let path = fixture.place.join("default/state.json");
    let text = fs::read_to_string(&path).expect("there are snapshots");
    let mut state: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    let created = &mut state["snapshots"]["deploy"]["created"]["secs_since_epoch"];
    assert!(created.is_u64(), "{text}");
    *created = 1.into();
    fs::write(&path, state.to_string()).expect("it can be written");
    let alone = ["--exact", "failover::takes_over", "NEXTEST=1", "LAGO_NEXTEST=scenario"];
    fixture.expect(&alone, 0, &["deploy::install passed", "failover::takes_over passed"]);
    assert_eq!(fixture.restored(), ["start"]);
    fixture.expect(&alone, 0, &["failover::takes_over passed"]);
    assert_eq!(fixture.restored(), ["deploy"]);
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
    let expected =
        "a template, a file, the acceleration or a program has changed since states were saved";
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
