//! A scenario that is tried again, each time from the same state.

use std::fs;

use lago_test::Outcome;
use lago_test::events::What;

use crate::run::Fixture;

pub(crate) fn each_try_begins_in_the_same_state() {
    let mut fixture = Fixture::new("unsteady", "states-unsteady");
    let ran = fixture.expect(
        &[],
        0,
        &[
            "deploy::install passed",
            "serve::dies_at_first flaky",
            "serve::first passed",
            "serve::on_what_was_tried_again passed",
        ],
    );
    let before = "before.serve.dies_at_first";
    assert_eq!(fixture.restored(), [before; 2]);
    let first = first_try(&fixture);
    let Outcome::Errored { message } = &first else { panic!("{first:?}") };
    let expected = "VM vm0 has died: its QEMU has crashed or was killed (";
    assert!(message.starts_with(expected), "{message}");
    assert!(message.contains("; the scenario: time 1 is no good"), "{message}");
    assert!(message.contains("the last lines on the console of vm0 ("), "{message}");
    assert!(message.contains("vm0 login:"), "{message}");

    let junit = fs::read_to_string(fixture.place.join("default/fixture.junit.xml"));
    let junit = junit.expect("there is a report");
    assert_eq!(junit.matches("<flakyFailure ").count(), 2, "{junit}");
    assert!(ran.stdout.contains("3 passed, 1 flaky, in "), "{}", ran.stdout);

    let mut kept: Vec<_> = fs::read_dir(fixture.place.join("default/snapshots"))
        .expect("there are snapshots")
        .map(|entry| entry.expect("it can be listed").file_name())
        .collect();
    kept.sort_unstable();
    assert_eq!(kept, [before, "deploy", "start"], "one for a scenario that passed at once is gone");
    what_cannot_be_tried_again_is_said(&mut fixture);
    the_state_before_it_serves_a_later_run(&fixture, before);
}

/// What comes after it would run without what came before it.
fn what_cannot_be_tried_again_is_said(fixture: &mut Fixture) {
    let name = std::mem::replace(&mut fixture.name, "lost_state");
    fixture.expect(
        &["LAGO_FROM=deploy"],
        3,
        &[
            "serve::first passed",
            "serve::on_what_was_tried_again errored",
            "serve::removes_what_is_saved failed",
        ],
    );
    fixture.name = name;
    let outcome = |wanted: &str| {
        let found = fixture.events().into_iter().find_map(|event| match event.what {
            What::ScenarioFinished { scenario, outcome, .. } if scenario == wanted => Some(outcome),
            _ => None,
        });
        found.expect("it has ended").to_string()
    };
    let failed = outcome("removes_what_is_saved");
    let expected =
        "as the test wants it (tried once, and not again: the environment cannot be put back";
    assert!(failed.starts_with(expected), "{failed}");
    let lost = outcome("on_what_was_tried_again");
    assert!(lost.starts_with("the state in which it was to run is lost"), "{lost}");
}

fn the_state_before_it_serves_a_later_run(fixture: &Fixture, before: &str) {
    let alone = ["--exact", "serve::dies_at_first", "LAGO_KEEP=never"];
    let ran = fixture.expect(&alone, 0, &["serve::dies_at_first flaky"]);
    assert!(ran.stderr.contains(&format!("`{before}` (")), "{}", ran.stderr);
    assert!(!ran.stdout.contains("on_what_was_tried_again"), "{}", ran.stdout);
    fixture.assert_removed();
}

fn first_try(fixture: &Fixture) -> Outcome {
    let first = fixture.events().into_iter().find_map(|event| match event.what {
        What::ScenarioTried { attempt: 1, of: 3, outcome, .. } => Some(outcome),
        _ => None,
    });
    first.expect("it was tried several times")
}
