//! The top of the report: how the run ended, what went wrong, and where the time went.

use std::collections::HashMap;

use maud::{Markup, html};

use super::super::text::clean;
use super::super::timeline::{Share, Timeline, shares};
use super::record::{Record, Scenario};
use super::sources::Sources;
use super::verdict::Verdict;
use super::words;
use crate::events::RunResult;

/// How many failures are listed at the top; all of them are in the list below.
const FAILURES: usize = 50;

/// The longest reason in that list, in bytes and in lines.
const REASON: usize = 1500;
const REASON_LINES: usize = 12;

/// How many of the slowest scenarios are named.
const SLOWEST: usize = 10;

/// How the run ended, when and where it took place, and how many scenarios ended how.
pub(super) fn header(record: &Record) -> Markup {
    let took = (record.ended - record.started).to_std().unwrap_or_default();
    let took = words::milliseconds(took.as_millis().try_into().unwrap_or(u64::MAX));
    let (class, headline) = headline(record);
    html! {
        header.top {
            h1 { (record.suite) }
            p class={ "headline " (class) } { (sign(class)) " " (headline) }
            p.when {
                time datetime=(words::machine_date(record.started)) { (words::date(record.started)) }
                span.sep aria-hidden="true" { "·" }
                (took)
                span.sep aria-hidden="true" { "·" }
                "on " (clean(&record.machine.hostname))
                @if let Some((_, true)) = record.environment.up {
                    span.sep aria-hidden="true" { "·" } "environment from the cache"
                }
            }
            (proportions(record))
        }
    }
}

fn headline(record: &Record) -> (&'static str, String) {
    let counts = Counts::of(record);
    let failed = counts.failures();
    let all = record.scenarios().count();
    match record.result {
        None => ("errored", "The run did not end: its events stop in the middle".to_owned()),
        Some((RunResult::Interrupted, _)) => {
            let by =
                record.interrupted.as_deref().map_or(String::new(), |name| format!(" by {name}"));
            ("errored", format!("Interrupted{by}"))
        }
        Some((RunResult::Infrastructure, _)) if record.environment.failed.is_some() => {
            ("errored", "The environment did not come up".to_owned())
        }
        Some((RunResult::Infrastructure, _)) => ("errored", "The environment failed".to_owned()),
        Some((RunResult::Failed, _)) => {
            ("failed", format!("{failed} of {} failed", words::counted(all, "scenario")))
        }
        Some((RunResult::Passed, _)) if counts.of_kind(Verdict::Passed) == all => (
            "passed",
            if all == 1 {
                "The scenario passed".to_owned()
            } else {
                format!("All {all} scenarios passed")
            },
        ),
        Some((RunResult::Passed, _)) => ("passed", "Passed".to_owned()),
    }
}

fn sign(class: &str) -> Markup {
    html! { svg.sign aria-hidden="true" { use href={ "#sign-" (class) } {} } }
}

/// How many scenarios ended how, as a bar and in words.
fn proportions(record: &Record) -> Markup {
    let counts = Counts::of(record);
    let all = record.scenarios().count() as u64;
    html! {
        svg.proportions width="100%" height="10" aria-hidden="true" {
            @for (verdict, count, before) in
                in_a_row(counts.present().map(|(verdict, count)| (verdict, count as u64)))
            {
                rect class=(verdict.class()) x={ (words::percent(before, all)) "%" }
                    width={ (words::percent(count, all)) "%" } height="10" {}
            }
        }
        ul.counts aria-label="Scenarios by outcome" {
            @for (verdict, count) in counts.present() {
                li class=(verdict.class()) { (verdict.sign()) " " b { (count) } " " (verdict.word()) }
            }
        }
    }
}

/// Things of these sizes one after the other, each with how much is before it.
fn in_a_row<T>(things: impl Iterator<Item = (T, u64)>) -> Vec<(T, u64, u64)> {
    let placed = things.scan(0, |before, (thing, size)| {
        let at = *before;
        *before += size;
        Some((thing, size, at))
    });
    placed.collect()
}

/// How many scenarios ended how.
#[derive(Debug)]
pub(super) struct Counts(HashMap<&'static str, usize>);

impl Counts {
    pub(super) fn of(record: &Record) -> Self {
        let mut counts = HashMap::new();
        for scenario in record.scenarios() {
            *counts.entry(Verdict::of(scenario).class()).or_default() += 1;
        }
        Self(counts)
    }

    pub(super) fn of_kind(&self, verdict: Verdict) -> usize {
        self.0.get(verdict.class()).copied().unwrap_or(0)
    }

    /// Those kinds that occur.
    pub(super) fn present(&self) -> impl Iterator<Item = (Verdict, usize)> {
        let all = Verdict::ALL.into_iter().map(|verdict| (verdict, self.of_kind(verdict)));
        all.filter(|(_, count)| *count > 0)
    }

    pub(super) fn failures(&self) -> usize {
        self.present().filter(|(verdict, _)| verdict.is_failure()).map(|(_, count)| count).sum()
    }
}

/// What failed and why, each in a few lines; nothing when nothing did.
pub(super) fn failures(record: &Record, sources: &Sources) -> Markup {
    let failed: Vec<&Scenario> =
        record.scenarios().filter(|scenario| scenario.has_failed()).collect();
    let environment = record.environment.failed.as_deref();
    if failed.is_empty() && environment.is_none() {
        return html! {};
    }
    html! {
        section aria-labelledby="failures" {
            h2 id="failures" { "What went wrong" }
            @if let Some(reason) = environment {
                article class="failure errored" {
                    h3 { a href="#environment" { "The environment did not come up" } }
                    pre { "\n" (short(reason, sources)) }
                }
            }
            @for scenario in failed.iter().take(FAILURES) { (failure(scenario, sources)) }
            @if failed.len() > FAILURES {
                p { "And " (failed.len() - FAILURES) " more: see " a href="#scenarios" { "the list" } "." }
            }
        }
    }
}

fn failure(scenario: &Scenario, sources: &Sources) -> Markup {
    let verdict = Verdict::of(scenario);
    html! {
        article class={ "failure " (verdict.class()) } {
            h3 {
                (verdict.badge()) " "
                a href={ "#" (scenario.anchor()) } { (scenario.full_name()) }
            }
            p.aside {
                @if scenario.start.is_some() { "after " (words::milliseconds(scenario.took_ms)) }
                @if !scenario.blocks.is_empty() {
                    ", blocks " (words::counted(scenario.blocks.len(), "scenario"))
                }
            }
            pre { "\n" (short(&scenario.reason(), sources)) }
        }
    }
}

/// The first lines of a reason.
fn short(reason: &str, sources: &Sources) -> String {
    let reason = clean(&sources.said(reason, REASON));
    let lines: Vec<&str> = reason.lines().collect();
    if lines.len() <= REASON_LINES {
        return reason;
    }
    format!("{}\n…", lines[..REASON_LINES].join("\n"))
}

/// Where the time went: a bar, a table, and the slowest scenarios.
pub(super) fn time(record: &Record, timeline: &Timeline) -> Markup {
    let shares = shares(timeline);
    let all: u64 = shares.iter().map(|share| share.took).sum();
    let placed = in_a_row(shares.iter().map(|share| (share, share.took)));
    html! {
        section aria-labelledby="time" {
            h2 id="time" { "Where the time went" }
            svg.shares width="100%" height="22" aria-hidden="true" {
                @for (share, took, before) in placed {
                    svg class={ "bar " (share.kind) } x={ (words::percent(before, all)) "%" } y="0"
                        width={ (words::percent(took, all)) "%" } height="22"
                    {
                        title { (kind_name(share.kind)) ", " (words::microseconds(share.took)) }
                        rect width="100%" height="100%" {}
                        text x="5" y="15" { (kind_name(share.kind)) }
                    }
                }
            }
            div.columns {
                (share_table(&shares, all, timeline.lanes.len()))
                (slowest(record))
            }
        }
    }
}

fn share_table(shares: &[Share], all: u64, lanes: usize) -> Markup {
    html! {
        table.shares {
            caption {
                "By what was done"
                @if lanes > 1 { ", in " (words::counted(lanes, "lane")) " together" }
            }
            thead { tr {
                th scope="col" { "What" }
                th.number scope="col" { "Times" }
                th.number scope="col" { "Took" }
                th.number scope="col" { "Share" }
            } }
            tbody {
                @for share in shares {
                    tr {
                        th scope="row" {
                            svg.key width="12" height="12" aria-hidden="true" {
                                rect class=(share.kind) width="12" height="12" rx="2" {}
                            }
                            " " (kind_name(share.kind))
                        }
                        td.number { @if share.count > 0 { (share.count) } }
                        td.number { (words::microseconds(share.took)) }
                        td.number { (whole_percent(share.took, all)) }
                    }
                }
            }
        }
    }
}

fn whole_percent(part: u64, whole: u64) -> String {
    match u128::from(part) * 100 / u128::from(whole.max(1)) {
        0 if part > 0 => "< 1 %".to_owned(),
        percent => format!("{percent} %"),
    }
}

/// What a kind of work is called in a table.
fn kind_name(kind: &str) -> &'static str {
    match kind {
        "bring-up" => "Bringing the environment up",
        "scenario" => "Scenarios",
        "evidence" => "Collecting evidence",
        "save" => "Saving states",
        "revert" => "Putting states back",
        "fork" => "Forking",
        "take-down" => "Taking down",
        _ => "In between",
    }
}

fn slowest(record: &Record) -> Markup {
    let mut ran: Vec<&Scenario> =
        record.scenarios().filter(|scenario| scenario.took_ms > 0).collect();
    ran.sort_by_key(|scenario| std::cmp::Reverse(scenario.took_ms));
    html! {
        @if !ran.is_empty() {
            table.slowest {
                caption { "The slowest scenarios" }
                thead { tr {
                    th scope="col" { "Scenario" }
                    th.number scope="col" { "Took" }
                } }
                tbody {
                    @for scenario in ran.iter().take(SLOWEST) {
                        tr {
                            th scope="row" {
                                a href={ "#" (scenario.anchor()) } { (scenario.full_name()) }
                            }
                            td.number { (words::milliseconds(scenario.took_ms)) }
                        }
                    }
                }
            }
        }
    }
}
