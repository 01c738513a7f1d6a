use super::super::{Machine, Planned, RunResult};
use super::*;
use crate::outcome::Outcome;
use chrono::DateTime;

fn event(what: What) -> Event {
    Event { at: DateTime::from_timestamp(0, 0).unwrap(), what }
}

/// The first event of a process: `name` for what is selected, `(name)` for a prerequisite.
pub(in crate::events) fn started(run: &str, planned: &[&str]) -> Event {
    let planned = planned.iter().map(|name| Planned {
        stage: "s".into(),
        scenario: name.trim_matches(['(', ')']).into(),
        prerequisite: name.starts_with('('),
    });
    event(What::RunStarted {
        schema: crate::events::SCHEMA,
        suite: "web".into(),
        version: "0.1.0".into(),
        pid: 7,
        arguments: vec![],
        part_of: Some(run.into()),
        machine: Machine { hostname: "ci".into(), kernel: "Linux 6".into() },
        planned: planned.collect(),
    })
}

fn ended(scenario: &str, outcome: Outcome) -> Event {
    let (stage, scenario) = ("s".into(), scenario.into());
    event(What::ScenarioFinished { stage, scenario, outcome, took_ms: 1, output: None })
}

fn passed(scenario: &str) -> Event {
    ended(scenario, Outcome::Passed)
}

fn errored(scenario: &str) -> Event {
    ended(scenario, Outcome::Errored { message: "died".into() })
}

fn finished(result: RunResult, exit_code: u8) -> Event {
    event(What::RunFinished { result, exit_code })
}

/// What was planned, then how it ended, then how the run did.
fn told(events: Vec<Event>) -> Vec<String> {
    let told = merged(events).into_iter().map(|event| match event.what {
        What::RunStarted { planned, .. } => {
            let names = planned.into_iter().map(|planned| {
                let (open, close) = if planned.prerequisite { ("(", ")") } else { ("", "") };
                format!("{open}{}{close}", planned.scenario)
            });
            names.collect::<Vec<_>>().join(" ")
        }
        What::ScenarioTried { scenario, attempt, of, outcome, .. } => {
            format!("{scenario} {} at try {attempt} of {of}", outcome.word())
        }
        What::ScenarioFinished { scenario, outcome, .. } => {
            format!("{scenario} {}", outcome.word())
        }
        What::RunFinished { result, exit_code } => format!("{result:?} {exit_code}"),
        other => format!("{other:?}"),
    });
    told.collect()
}

#[test]
fn one_process_is_left_as_it_is() {
    let events = vec![started("1", &["a"]), passed("a"), finished(RunResult::Passed, 0)];
    assert_eq!(merged(events.clone()), events);
    assert_eq!(last_part(events.clone()), events);
    assert_eq!(merged(Vec::new()), []);
}

#[test]
fn several_processes_look_like_one() {
    let events = vec![
        started("1", &["(a)", "b"]),
        passed("a"),
        errored("b"),
        finished(RunResult::Failed, 101),
        started("1", &["a"]),
        passed("a"),
        finished(RunResult::Passed, 0),
        started("1", &["(a)", "c"]),
        errored("a"),
        ended("c", Outcome::Blocked { by: "s::a".into() }),
        finished(RunResult::Failed, 101),
    ];
    let expected = ["a b c", "b errored", "a passed", "c blocked", "Failed 101"];
    assert_eq!(told(events.clone()), expected, "where `a` was selected counts");
    assert_eq!(last_part(events.clone()).len(), 4);
    let parts = EarlierParts::of(&events, "1").unwrap();
    assert_eq!(parts, EarlierParts { number: 3, workers: 0 });
    assert_eq!(EarlierParts::of(&events, "2"), None);
}

#[test]
fn what_ran_as_a_prerequisite_only_ended_as_it_did_last() {
    let events = vec![
        started("1", &["(a)", "b"]),
        errored("a"),
        finished(RunResult::Failed, 101),
        started("1", &["(a)", "c"]),
        passed("a"),
        passed("c"),
    ];
    assert_eq!(told(events), ["(a) b c", "a passed", "c passed"]);
}

/// It must not look as if it had passed, because it did where others stand on it.
#[test]
fn a_process_that_was_killed_leaves_its_scenario_open() {
    let events = vec![
        started("1", &["(a)", "b"]),
        passed("a"),
        passed("b"),
        finished(RunResult::Passed, 0),
        started("1", &["a"]),
        started("1", &["c"]),
        passed("c"),
        finished(RunResult::Infrastructure, 3),
    ];
    assert_eq!(told(events), ["a b c", "b passed", "c passed", "Interrupted 137"]);
}

/// nextest tries a test again when it is told to.
#[test]
fn what_passes_at_a_later_try_is_flaky() {
    let try_of = |end: Event| vec![started("1", &["(b)", "a"]), passed("b"), end];
    let tries = |ends: Vec<Event>| ends.into_iter().flat_map(try_of).collect::<Vec<_>>();
    assert_eq!(
        told(tries(vec![errored("a"), errored("a"), passed("a")])),
        [
            "(b) a",
            "a errored at try 1 of 3",
            "a errored at try 2 of 3",
            "b passed",
            "a passed at try 3 of 3",
            "a flaky"
        ]
    );
    assert_eq!(told(tries(vec![errored("a"), errored("a")])), ["(b) a", "b passed", "a errored"]);
    assert_eq!(told(tries(vec![passed("a"), passed("a")])), ["(b) a", "b passed", "a passed"]);
}

/// Evidence of a prerequisite's failure belongs to the process that is there for it.
#[test]
fn evidence_is_told_where_it_counts() {
    let evidence = |number: u32| {
        event(What::EvidenceCollected {
            stage: "s".into(),
            scenario: "a".into(),
            took_ms: 1,
            files: vec![format!("evidence/{number}").into()],
            problems: Vec::new(),
        })
    };
    let told = |events: Vec<Event>| {
        let files = merged(events).into_iter().filter_map(|event| match event.what {
            What::EvidenceCollected { files, .. } => Some(files[0].display().to_string()),
            _ => None,
        });
        files.collect::<Vec<_>>()
    };
    let of =
        |planned: &str, end: Event, number| vec![started("1", &[planned]), end, evidence(number)];
    let both = [of("(a)", errored("a"), 1), of("a", errored("a"), 2)].concat();
    assert_eq!(told(both), ["evidence/2"]);
    let flaky = [of("a", errored("a"), 1), vec![started("1", &["a"]), passed("a")]].concat();
    assert_eq!(told(flaky), ["evidence/1"], "that of a failed try");
}
