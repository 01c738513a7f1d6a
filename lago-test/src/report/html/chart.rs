//! The timeline as a picture: a row for each lane and for each VM, drawn in per cent of the width, so that it fits any.
//!
//! The picture is for eyes; what it shows is told by the tables and lists around it, so readers of screens pass it over.

use maud::{Markup, html};

use super::super::text::{clean, first_line};
use super::super::timeline::{Doing, Span, Timeline, Track, rows};
use super::record::anchor;
use super::verdict::Verdict;
use super::words;

/// Bars that are narrower than this part of the whole are drawn together with their neighbours of the same kind: on a
/// large screen it is a pixel.
const FINEST: u64 = 1500;

/// The height of a row, and of the bar in it, in pixels.
const ROW: usize = 26;
const BAR: usize = 22;

/// About how many marks the axis has.
const TICKS: u64 = 7;

/// The picture.
pub(super) fn chart(timeline: &Timeline) -> Markup {
    html! {
        div.chart {
            div.plot {
                (axis(timeline.length))
                @for lane in &timeline.lanes {
                    (track(lane, timeline.length, |span| !matches!(span.what, Doing::Work { .. })))
                }
                @if !timeline.vms.is_empty() {
                    div.group { "VMs: what was done to each" }
                }
                @for vm in &timeline.vms {
                    (track(vm, timeline.length, |_| true))
                }
            }
        }
    }
}

fn axis(length: u64) -> Markup {
    html! {
        div.track.axis {
            div.label {}
            svg width="100%" height="18" aria-hidden="true" {
                @for at in ticks(length) {
                    text x={ (words::percent(at, length)) "%" } y="13" { (tick_label(at)) }
                }
            }
        }
    }
}

/// Round times from the beginning to the end, in microseconds.
fn ticks(length: u64) -> Vec<u64> {
    const STEPS: [u64; 22] = [
        1_000,
        10_000,
        100_000,
        200_000,
        500_000,
        1_000_000,
        2_000_000,
        5_000_000,
        10_000_000,
        15_000_000,
        20_000_000,
        30_000_000,
        60_000_000,
        120_000_000,
        300_000_000,
        600_000_000,
        900_000_000,
        1_200_000_000,
        1_800_000_000,
        3_600_000_000,
        14_400_000_000,
        86_400_000_000,
    ];
    let wanted = length / TICKS;
    let step = STEPS.into_iter().find(|step| *step >= wanted).unwrap_or(wanted).max(1);
    // A label at the very end would be cut off.
    let times = (0..=length / step).map(|number| number * step);
    times.filter(|at| at + step / 3 < length.max(1)).collect()
}

fn tick_label(at: u64) -> String {
    let milliseconds = at / 1000;
    match milliseconds {
        0 => "0".to_owned(),
        1..1000 => format!("{milliseconds} ms"),
        _ => words::milliseconds(milliseconds).replace(" min", "m").replace(" s", "s"),
    }
}

fn track(track: &Track, length: u64, shown: impl Fn(&Span) -> bool) -> Markup {
    let rows = rows(track.spans.iter().filter(|span| shown(span)));
    let height = rows.len().max(1) * ROW;
    html! {
        div.track {
            div.label { (track.name()) }
            svg width="100%" height=(height) aria-hidden="true" {
                @for at in ticks(length) {
                    @let x = format!("{}%", words::percent(at, length));
                    line.grid x1=(x) x2=(x) y1="0" y2=(height) {}
                }
                @for (number, row) in rows.iter().enumerate() {
                    @for bar in bars(row, length) {
                        (draw(&bar, number * ROW, length))
                    }
                }
                @for mark in &track.marks {
                    @let x = format!("{}%", words::percent(mark.at, length));
                    line.mark x1=(x) x2=(x) y1="0" y2=(height) {
                        title { (clean(first_line(&mark.what))) }
                    }
                }
            }
        }
    }
}

/// What is drawn as one bar: a span, or several that are too short to be told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bar {
    from: u64,
    to: u64,
    class: &'static str,
    name: String,
    tip: String,
    /// The scenario that it is about.
    target: Option<String>,
    count: usize,
}

/// The bars of a row. Spans that follow each other, are of one kind and too short to be seen become one.
fn bars(row: &[&Span], length: u64) -> Vec<Bar> {
    let finest = length / FINEST;
    let mut bars: Vec<Bar> = Vec::new();
    for span in row {
        let class = class(&span.what);
        let is_short = |from: u64, to: u64| to - from < finest;
        if let Some(last) = bars.last_mut()
            && last.class == class
            && is_short(span.from, span.to)
            && is_short(last.to, span.from.max(last.to))
            && is_short(last.from, last.to.max(span.from))
        {
            last.to = last.to.max(span.to);
            last.count += 1;
            last.name = format!("{} × {}", last.count, span.what.kind());
            last.tip = format!("{}, {}", last.name, words::microseconds(last.to - last.from));
            last.target = None;
            continue;
        }
        bars.push(bar(span, class));
    }
    bars
}

fn bar(span: &Span, class: &'static str) -> Bar {
    let name = clean(&span.what.name());
    let took = words::microseconds(span.length());
    let (tip, target) = match &span.what {
        Doing::Scenario { stage, scenario, outcome, .. } => {
            let word =
                outcome.as_ref().map_or("cut short", |outcome| Verdict::of_outcome(outcome).word());
            (format!("{name}: {word}, {took}"), Some(anchor(stage, scenario)))
        }
        Doing::Evidence { stage, scenario } => {
            (format!("evidence of {stage}::{scenario}, {took}"), Some(anchor(stage, scenario)))
        }
        _ => (format!("{name}, {took}"), None),
    };
    Bar { from: span.from, to: span.to, class, name, tip, target, count: 1 }
}

/// The class of a span in the style sheet.
fn class(what: &Doing) -> &'static str {
    match what {
        Doing::Scenario { outcome: Some(outcome), .. } => Verdict::of_outcome(outcome).class(),
        Doing::Scenario { outcome: None, .. } | Doing::BringUp { failed: true, .. } => {
            Verdict::Errored.class()
        }
        other => other.kind(),
    }
}

fn draw(bar: &Bar, y: usize, length: u64) -> Markup {
    // What is too narrow to be seen has the width of a line, by a stroke.
    html! {
        svg class={ "bar " (bar.class) } data-target=[bar.target.as_deref()]
            x={ (words::percent(bar.from, length)) "%" } y=(y)
            width={ (words::percent(bar.to - bar.from, length)) "%" } height=(BAR)
        {
            title { (bar.tip) }
            rect width="100%" height="100%" {}
            text x="5" y="15" { (bar.name) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Outcome;

    fn scenario(from: u64, to: u64, outcome: Outcome) -> Span {
        let what = Doing::Scenario {
            stage: "many".into(),
            scenario: format!("at_{from}"),
            attempt: None,
            outcome: Some(outcome),
            vms: Vec::new(),
        };
        Span { from, to, what }
    }

    #[test]
    fn what_is_too_short_to_be_seen_is_drawn_together_and_failures_stay_apart() {
        let error = || Outcome::Errored { message: "no".into() };
        let spans: Vec<Span> = (0..10_000_u64)
            .map(|at| scenario(at, at + 1, if at == 5000 { error() } else { Outcome::Passed }))
            .collect();
        let row: Vec<&Span> = spans.iter().collect();
        let bars = bars(&row, 10_000);
        assert!(bars.len() < 2100, "{}", bars.len());
        assert_eq!(bars.iter().map(|bar| bar.count).sum::<usize>(), 10_000);
        let failed: Vec<_> = bars.iter().filter(|bar| bar.class == "errored").collect();
        assert_eq!(failed.len(), 1);
        assert_eq!(failed[0].name, "many::at_5000");
        assert_eq!((bars[0].from, bars[0].name.as_str()), (0, "6 × scenario"));
    }

    #[test]
    fn what_can_be_seen_is_drawn_alone() {
        let spans = [scenario(0, 40, Outcome::Passed), scenario(40, 100, Outcome::Passed)];
        let bars = bars(&spans.iter().collect::<Vec<_>>(), 100);
        assert_eq!(bars.len(), 2);
        assert_eq!(bars[1].target.as_deref(), Some("s.many.at_40"));
        assert_eq!(bars[1].tip, "many::at_40: passed, 0 ms");
    }

    #[test]
    fn an_axis_has_a_handful_of_round_times() {
        let labels = |length| ticks(length).into_iter().map(tick_label).collect::<Vec<_>>();
        assert_eq!(labels(29_000_000), ["0", "5s", "10s", "15s", "20s", "25s"]);
        assert_eq!(labels(62_000_000), ["0", "10s", "20s", "30s", "40s", "50s"]);
        assert_eq!(labels(4_000), ["0", "1 ms", "2 ms", "3 ms"]);
        assert_eq!(labels(7_200_000_000), ["0", "20m", "40m", "60m", "80m", "100m"]);
        assert!(labels(0).len() <= 1);
        assert!((1..40).map(|power| ticks(1 << power).len()).all(|count| count < 12));
    }
}
