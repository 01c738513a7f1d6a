//! What the view says. Pure.

use std::time::Duration;

use super::overview::{Item, Scene};
use crate::duration::spoken;

/// Lines above the view that stay for results, however much there is to show.
const FOR_RESULTS: usize = 4;

/// The narrowest terminal for which something is left out at the right rather than at the left.
const NARROW: usize = 30;

/// A line of the view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) kind: Kind,
    pub(super) text: String,
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Something that is waited for.
    Waiting,
    /// A part of it.
    Part,
    /// How far the run is; whether something has failed.
    Sum { has_trouble: bool },
}

/// The lines for a terminal of this size.
pub(super) fn lines(scene: &Scene, columns: usize, rows: usize) -> Vec<Line> {
    let waiting = scene.waited_for.iter().map(|item| (Kind::Waiting, item));
    let parts = scene.parts.iter().map(|item| (Kind::Part, item));
    let all: Vec<_> = waiting.chain(parts).collect();
    // One more for what is left out, and one for the sum.
    let room = rows.saturating_sub(FOR_RESULTS + 2).max(1);
    let mut lines: Vec<Line> = all
        .iter()
        .take(room)
        .map(|(kind, item)| Line { kind: *kind, text: line(*kind, item, columns) })
        .collect();
    if all.len() > room {
        let text = cut(&format!("and {} more", all.len() - room), inner(Kind::Part, columns));
        lines.push(Line { kind: Kind::Part, text });
    }
    let kind = Kind::Sum { has_trouble: !scene.troubles.is_empty() };
    lines.push(Line { kind, text: cut(&sum(scene), inner(kind, columns)) });
    lines
}

/// How much of a line is left for its text: in front of it are a spinner, or spaces. The last column stays free, since some
/// terminals go to the next line with it.
fn inner(kind: Kind, columns: usize) -> usize {
    let before = match kind {
        Kind::Waiting => 2,
        Kind::Part => 4,
        Kind::Sum { .. } => 0,
    };
    columns.saturating_sub(before + 1)
}

/// What goes on at the left, since when and how long it may at the right.
fn line(kind: Kind, item: &Item, columns: usize) -> String {
    let width = inner(kind, columns);
    let right = match item.limit {
        None => clock(item.elapsed),
        Some(limit) => format!("{} of {}", clock(item.elapsed), spoken(limit)),
    };
    let left = describe(kind, item);
    if width < NARROW.max(right.chars().count() + 2) {
        return cut(&left, width);
    }
    let left = cut(&left, width - right.chars().count() - 2);
    format!("{left:<0$}{right:>1$}", width - right.chars().count(), right.chars().count())
}

fn describe(kind: Kind, item: &Item) -> String {
    let fork = item.fork.as_ref().map_or_else(String::new, |fork| format!(" [fork {fork}]"));
    match kind {
        Kind::Waiting if !item.vms.is_empty() => {
            format!("{}{fork} on {}", item.name, item.vms.join(", "))
        }
        Kind::Part if !item.vms.is_empty() => {
            format!("{}{fork}: {}", item.vms.join(", "), item.name)
        }
        _ => format!("{}{fork}", item.name),
    }
}

/// How far the run is.
fn sum(scene: &Scene) -> String {
    let troubles = scene.troubles.iter().fold(String::new(), |text, (word, count)| {
        format!("{text}, {count} {}", word.replace('_', " "))
    });
    let Scene { ended, planned, elapsed, .. } = scene;
    format!("{ended} of {planned} done{troubles}; {}", clock(*elapsed))
}

/// A duration in whole seconds, so that it does not flicker.
fn clock(elapsed: Duration) -> String {
    spoken(Duration::from_secs(elapsed.as_secs()))
}

/// As much of a text as fits, with a mark at its end if something is missing.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut text: String = text.chars().take(width.saturating_sub(1)).collect();
    text.extend((width > 0).then_some('…'));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: &str, vms: &[&str], seconds: u64, limit: Option<u64>) -> Item {
        Item {
            name: name.into(),
            vms: vms.iter().map(ToString::to_string).collect(),
            fork: None,
            elapsed: Duration::from_millis(seconds * 1000 + 345),
            limit: limit.map(Duration::from_secs),
        }
    }

    fn scene(waited_for: Vec<Item>, parts: Vec<Item>) -> Scene {
        Scene {
            planned: 48,
            ended: 12,
            troubles: Vec::new(),
            waited_for,
            parts,
            elapsed: Duration::from_secs(83),
        }
    }

    fn texts(scene: &Scene, columns: usize, rows: usize) -> Vec<String> {
        lines(scene, columns, rows).into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn what_runs_where_since_when_and_how_long_it_may() {
        let mut on_fork = item("failover::server_goes_away", &["server"], 3, Some(600));
        on_fork.fork = Some("failover".into());
        let scene = Scene {
            troubles: vec![("failed", 1), ("timed_out", 2)],
            ..scene(
                vec![item("serve::fetch", &["client", "server"], 12, Some(120)), on_fork],
                vec![],
            )
        };
        insta::assert_snapshot!(texts(&scene, 80, 24).join("\n"));
        let last = lines(&scene, 80, 24).pop().unwrap();
        assert_eq!(last.kind, Kind::Sum { has_trouble: true });
    }

    #[test]
    fn a_bring_up_has_its_parts_below_it() {
        let scene = scene(
            vec![item("bringing the environment up", &[], 31, Some(1800))],
            vec![
                item("wait for ssh", &["server"], 29, None),
                item("wait for ssh", &["client"], 29, None),
                item("compress deploy", &[], 1, None),
            ],
        );
        insta::assert_snapshot!(texts(&scene, 60, 24).join("\n"));
    }

    #[test]
    fn lines_are_never_wider_than_the_terminal_and_never_more_than_it_has() {
        let long = "a_stage_with_a_long_name::and_a_scenario_with_one_that_is_still_longer";
        let many: Vec<Item> = (0..40).map(|_| item(long, &["client"], 7, Some(600))).collect();
        let scene = scene(many, Vec::new());
        for columns in [0, 1, 5, 20, 40, 79, 200] {
            for rows in [0, 1, 6, 24, 100] {
                let lines = lines(&scene, columns, rows);
                assert!(lines.len() <= rows.max(7), "{rows}: {}", lines.len());
                for Line { kind, text } in lines {
                    assert!(text.chars().count() <= inner(kind, columns), "{columns}: {text}");
                }
            }
        }
        let texts = texts(&scene, 60, 10);
        assert!(texts[0].contains("…  7 s of 10 min"), "{}", texts[0]);
        assert_eq!(texts[4], "and 36 more");
    }
}
