//! Stages that run on forks at the same time.

use std::fs;
use std::process::Stdio;

use lago_system_tests::wait_until;
use lago_test::events::What;
use rustix::process::{Pid, Signal, kill_process};

use crate::run::Fixture;

pub(crate) fn forks_have_the_same_address() {
    let fixture = Fixture::new("meeting", "states-forks");
    let ran = fixture.expect(
        &["--test-threads", "2", "LAGO_KEEP=never"],
        0,
        &[
            "after_right::after_right passed",
            "deploy::install passed",
            "left::meets_right passed",
            "right::meets_left passed",
        ],
    );
    assert!(ran.stderr.contains("stage `right` runs on a fork of `deploy`"), "{}", ran.stderr);
    let forks = fixture.events().into_iter().filter_map(|event| match event.what {
        What::ForkStarted { fork, .. } => Some(fork),
        _ => None,
    });
    assert_eq!(forks.collect::<Vec<_>>(), ["right"]);
    assert_eq!(fixture.restored(), Vec::<String>::new(), "nothing had to be put back");
    fixture.assert_removed();
}

/// After the failure the fork stays; after the interrupt nothing does.
fn a_fork_that_was_to_stay_goes_with_an_interrupt(fixture: &mut Fixture) {
    fixture.name = "half_waiting";
    let output = fixture.place.join("stdout");
    let file = fs::File::create(&output).expect("it can be made");
    let mut command = fixture.command(&["LAGO_FROM=deploy", "LAGO_JOBS=2", "LAGO_KEEP=failure"]);
    let mut coordinator = command.stdout(file).stderr(Stdio::null()).spawn().expect("it runs");
    let seen = |text| {
        let events = fs::read_to_string(fixture.place.join("default/events.jsonl"));
        events.is_ok_and(|events| events.contains(text))
    };
    wait_until("the failed fork", || seen("\"fork_ended\""));
    wait_until("the other stage", || {
        let log = fixture.place.join("default/scenarios/left.waits.log");
        fs::read_to_string(log).is_ok_and(|text| text.contains("waiting in"))
    });
    kill_process(Pid::from_child(&coordinator), Signal::INT).expect("it runs");
    assert_eq!(coordinator.wait().expect("it is a child").code(), Some(130));
    assert_eq!(fixture.outcomes(), ["left::waits errored", "right::third failed"]);
    let output = fs::read_to_string(output).expect("it has one");
    assert!(output.contains("nothing runs") && !output.contains("stays ("), "{output}");
    fixture.assert_down();
}

pub(crate) fn a_killed_run() {
    let mut fixture = Fixture::new("waiting", "states-killed");
    let mut command = fixture.command(&["LAGO_JOBS=2"]);
    let mut coordinator =
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
    for stage in ["left", "right"] {
        let log = fixture.place.join(&format!("default/scenarios/{stage}.waits.log"));
        wait_until("both stages", || {
            fs::read_to_string(&log).is_ok_and(|text| text.contains("waiting in"))
        });
    }
    coordinator.kill().expect("it is a child");
    coordinator.wait().expect("it is a child");
    assert!(fixture.runs());

    a_fork_that_was_to_stay_goes_with_an_interrupt(&mut fixture);

    // The suite is another one now, but what made the state of `deploy` is the same.
    fixture.name = "passing";
    fixture.expect(&["--exact", "right::takes_over"], 0, &["right::takes_over passed"]);
    fixture.assert_down();
    fixture.expect(
        &["LAGO_KEEP=never"],
        0,
        &["deploy::install passed", "left::first passed", "right::takes_over passed"],
    );
    fixture.assert_removed();
}
