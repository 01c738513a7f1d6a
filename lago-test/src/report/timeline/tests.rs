use std::fmt::Write as _;

use super::super::sample::{at, events, finished, planned, run_started, started, worker_started};
use super::*;
use crate::events::What;

/// A line for each span and mark.
fn told(timeline: &Timeline) -> String {
    let mut text = String::new();
    for track in timeline.lanes.iter().chain(&timeline.vms) {
        writeln!(text, "{}", track.name()).unwrap();
        for span in &track.spans {
            let (from, to) = (span.from / 1000, span.to / 1000);
            writeln!(text, "  {from:>6} {to:>6} {:<9} {}", span.what.kind(), span.what.name())
                .unwrap();
        }
        for mark in &track.marks {
            writeln!(text, "  {:>6}        ! {}", mark.at / 1000, mark.what).unwrap();
        }
    }
    text
}

#[test]
fn a_run_has_its_lanes_and_vms() {
    let timeline = timeline(&events());
    assert_eq!(
        timeline.length, 61_901_000,
        "from the beginning of bring-up, before the first event"
    );
    insta::assert_snapshot!(told(&timeline));
}

#[test]
fn the_shares_are_the_whole_time_of_the_lanes() {
    let timeline = timeline(&events());
    let told = shares(&timeline).into_iter().fold(String::new(), |mut text, share| {
        writeln!(text, "{:<10} {:>3} {:>6}", share.kind, share.count, share.took / 1000).unwrap();
        text
    });
    insta::assert_snapshot!(told);
    let all: u64 = shares(&timeline).iter().map(|share| share.took).sum();
    let fork = &timeline.lanes[1].spans;
    let on_fork = fork.last().unwrap().to - fork[0].from;
    assert_eq!(all, timeline.length + on_fork);
}

#[test]
fn a_run_that_was_killed_shows_what_ran() {
    let events = [
        at(0, run_started(vec![planned("only", "first"), planned("only", "second")])),
        at(10, worker_started(1, None)),
        at(20, started("only", "first", 1)),
        at(30, finished("only", "first", Outcome::Passed, 10)),
        at(40, started("only", "second", 1)),
        at(90, What::EnvironmentStarting),
    ];
    let timeline = timeline(&events);
    let last = timeline.lanes[0].spans.last().unwrap();
    assert_eq!((last.from, last.to), (40_000, 90_000));
    assert!(matches!(&last.what, Doing::Scenario { outcome: None, .. }), "{last:?}");
}

#[test]
fn no_events_and_absurd_ones_are_no_reason_to_panic() {
    assert_eq!(timeline(&[]).length, 0);
    let absurd = [
        at(0, What::EnvironmentUp { took_ms: u64::MAX, from_cache: false }),
        at(0, What::StateSaved { state: "s".into(), took_ms: i64::MAX as u64, fork: None }),
    ];
    timeline(&absurd);
}
