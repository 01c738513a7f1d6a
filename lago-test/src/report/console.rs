//! What a person reads on the terminal. Pure.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::RecordedRun;
use crate::duration::{spoken, spoken_age};
use crate::events::{Event, What};
use crate::outcome::Outcome;

/// A run that began so long ago is likely to be another than the one that was just made.
const LATELY: Duration = Duration::from_secs(60 * 60);

/// What is printed about a scenario that did not pass: why, and the end of its output.
pub(crate) fn failure(outcome: &Outcome, output: Option<&str>) -> String {
    let mut text = outcome.to_string();
    if let Some(output) = output.map(str::trim_end).filter(|output| !output.is_empty()) {
        text.push_str("\n---- output ----\n");
        text.push_str(output);
    }
    text
}

/// The scenarios that passed, and what they have printed, as libtest shows it. Nothing when none has passed.
pub(crate) fn successes(outputs: &[(String, Option<String>)]) -> Vec<String> {
    if outputs.is_empty() {
        return Vec::new();
    }
    let begin = ["successes:".to_owned(), String::new()];
    let sections = outputs.iter().filter_map(|(name, output)| {
        let output = output.as_ref()?.trim_end();
        Some(format!("---- {name} stdout ----\n{output}\n"))
    });
    let names = outputs.iter().map(|(name, _)| format!("    {name}"));
    let end = std::iter::once("\nsuccesses:".to_owned()).chain(names).chain([String::new()]);
    begin.into_iter().chain(sections).chain(end).collect()
}

/// A line for each scenario that ran several times: how often it failed.
pub(crate) fn repetitions(events: &[Event]) -> Vec<String> {
    let counts = repeated(events).into_iter();
    counts.map(|(name, count)| format!("{name} {count}")).collect()
}

/// How often each scenario failed that ran several times, in the order in which they began.
pub(super) fn repeated(events: &[Event]) -> Vec<(String, String)> {
    let mut counts: Vec<(String, usize, usize)> = Vec::new();
    for event in events {
        let What::ScenarioRepeated { stage, scenario, outcome, .. } = &event.what else { continue };
        if matches!(outcome, Outcome::Skipped { .. }) {
            continue;
        }
        let name = format!("{stage}::{scenario}");
        let at = counts.iter().position(|(known, ..)| *known == name).unwrap_or_else(|| {
            counts.push((name, 0, 0));
            counts.len() - 1
        });
        counts[at].1 += usize::from(outcome.is_failure());
        counts[at].2 += 1;
    }
    let text = |(name, failed, times)| (name, format!("failed {failed} of {times} times"));
    counts.into_iter().map(text).collect()
}

/// The suites of some runs, each with how long ago its run began if that was not lately.
pub(crate) fn suites(runs: &[RecordedRun], now: DateTime<Utc>) -> String {
    let named = runs.iter().map(|run| {
        let suite = run.suite().unwrap_or_default();
        let began = run.events.first().map_or(now, |first| first.at);
        let ago = (now - began).to_std().unwrap_or_default();
        if ago < LATELY {
            suite.to_owned()
        } else {
            format!("{suite} (which ran {} ago)", spoken_age(ago))
        }
    });
    named.collect::<Vec<_>>().join(", ")
}

/// One line on how the scenarios of a run ended, without those kinds that did not occur.
pub(crate) fn summary(events: &[Event]) -> String {
    const WORDS: [(&str, &str); 9] = [
        ("passed", "passed"),
        ("flaky", "flaky"),
        ("failed", "failed"),
        ("errored", "errored"),
        ("timed_out", "timed out"),
        ("known_failure", "known to fail"),
        ("skipped", "skipped"),
        ("blocked", "blocked"),
        ("not_run", "not run"),
    ];
    let counted = WORDS.iter().filter_map(|(word, spoken)| {
        let count = outcomes(events).filter(|outcome| outcome.word() == *word).count();
        (count > 0).then(|| format!("{count} {spoken}"))
    });
    let counted: Vec<_> = counted.collect();
    let took = match (events.first(), events.last()) {
        (Some(first), Some(last)) => (last.at - first.at).to_std().unwrap_or_default(),
        _ => std::time::Duration::ZERO,
    };
    let counted = if counted.is_empty() { "nothing ran".to_owned() } else { counted.join(", ") };
    format!("{counted}, in {}", spoken(took))
}

/// Where the capsules of failures are, each path alone on its line.
pub(crate) fn capsules(events: &[Event], prefix: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for event in events {
        let What::CapsuleSaved { stage, scenario, path, bytes, .. } = &event.what else { continue };
        let mebibytes = bytes.div_ceil(1 << 20);
        lines.push(format!(
            "capsule of {stage}::{scenario}, {mebibytes} MiB; `lago capsule open` goes on from it:"
        ));
        lines.push(prefix.join(path).display().to_string());
    }
    lines
}

/// A line for each scenario that passed or was tolerated, but not as it should: flaky ones and known failures.
pub(crate) fn unsteady(events: &[Event]) -> Vec<String> {
    let lines = events.iter().filter_map(|event| match &event.what {
        What::ScenarioFinished {
            stage,
            scenario,
            outcome: outcome @ (Outcome::Flaky { .. } | Outcome::KnownFailure { .. }),
            ..
        } => Some(format!("{stage}::{scenario} {}", on_one_line(outcome))),
        _ => None,
    });
    lines.collect()
}

/// An outcome where there is no room for more: the first line of its text.
pub(crate) fn on_one_line(outcome: &Outcome) -> String {
    let text = outcome.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}

fn outcomes(events: &[Event]) -> impl Iterator<Item = &Outcome> {
    events.iter().filter_map(|event| match &event.what {
        What::ScenarioFinished { outcome, .. } => Some(outcome),
        _ => None,
    })
}

/// A prefix for a line of live output.
pub(crate) fn live_line(stage: &str, scenario: &str, line: &str) -> String {
    format!("[{stage}::{scenario}] {line}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn finished(second: i64, outcome: Outcome) -> Event {
        Event {
            at: DateTime::from_timestamp(second, 0).unwrap(),
            what: What::ScenarioFinished {
                stage: "s".into(),
                scenario: "x".into(),
                outcome,
                took_ms: 1,
                output: None,
            },
        }
    }

    #[test]
    fn a_summary_counts_what_occurred() {
        let events = [
            finished(0, Outcome::Passed),
            finished(1, Outcome::Passed),
            finished(2, Outcome::TimedOut { limit_ms: 1000, note: None }),
            finished(65, Outcome::Blocked { by: "s::x".into() }),
        ];
        assert_eq!(summary(&events), "2 passed, 1 timed out, 1 blocked, in 1 min 5 s");
    }

    #[test]
    fn what_passes_by_luck_or_leave_has_a_line() {
        let failure = "no page\n  at web.rs:7:1".to_owned();
        let reason = "slow DNS".to_owned();
        let events = [
            finished(0, Outcome::Passed),
            finished(1, Outcome::Flaky { attempt: 2, failure: failure.clone() }),
            finished(2, Outcome::KnownFailure { reason, failure }),
        ];
        let expected = [
            "s::x passed at try 2; the first try: no page",
            "s::x known failure (slow DNS): no page",
        ];
        assert_eq!(unsteady(&events), expected);
        assert_eq!(summary(&events), "1 passed, 1 flaky, 1 known to fail, in 2 s");
    }

    #[test]
    fn repetitions_are_counted_for_each_scenario() {
        let repeated = |scenario: &str, repetition, outcome| Event {
            at: DateTime::from_timestamp(0, 0).unwrap(),
            what: What::ScenarioRepeated {
                stage: "serve".into(),
                scenario: scenario.into(),
                repetition,
                of: 2,
                outcome,
                took_ms: 1,
            },
        };
        let events = [
            repeated("fetch", 1, Outcome::TimedOut { limit_ms: 1, note: None }),
            repeated("post", 1, Outcome::Passed),
            repeated("fetch", 2, Outcome::Passed),
        ];
        let expected = ["serve::fetch failed 1 of 2 times", "serve::post failed 0 of 1 times"];
        assert_eq!(repetitions(&events), expected);
    }

    #[test]
    fn successes_are_shown_as_libtest_does() {
        let outputs = [("a::b", Some("x\n")), ("a::c", None), ("a::d", Some("y"))];
        let outputs =
            outputs.map(|(name, output)| (name.to_owned(), output.map(ToOwned::to_owned)));
        insta::assert_snapshot!(successes(&outputs).join("\n"));
        assert!(successes(&[]).is_empty());
    }

    #[test]
    fn a_failure_has_its_output_under_it() {
        let outcome = Outcome::Errored { message: "worker died".into() };
        assert_eq!(failure(&outcome, Some("a\nb\n\n")), "worker died\n---- output ----\na\nb");
        assert_eq!(failure(&outcome, Some("\n")), "worker died");
    }
}
