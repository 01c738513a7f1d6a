//! The whole document, in parts that are written one after the other: a run of ten thousand scenarios is never in memory
//! as a whole.
//!
//! Everything that the document needs is in it. Its content security policy (W3C, Content Security Policy Level 3) allows
//! the one style sheet and the one script, by their hashes, and images in it, and nothing from anywhere else.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use super::super::timeline::{Doing, Timeline};
use super::record::{Record, Stage};
use super::scenario::{Manner, scenario};
use super::sources::Sources;
use super::verdict::{Verdict, signs};
use super::{chart, environment, summary, words};

const STYLE: &str = include_str!("assets/report.css");
const SCRIPT: &str = include_str!("assets/report.js");

/// Up to so many failures are open from the start.
const OPEN_FAILURES: usize = 3;

/// From so many scenarios on, of those that passed and said nothing there is a line only.
const MANY: usize = 500;

/// The most rows of the timeline as a table.
const TABLE_ROWS: usize = 1000;

/// Where the parts of the list go. Text is escaped, so nothing else can look like it.
const LIST: &str = "<!--list-->";

/// Writes the document.
pub(super) fn write(
    record: &Record,
    timeline: &Timeline,
    sources: &Sources,
    to: &mut impl Write,
) -> io::Result<()> {
    let failures = summary::Counts::of(record).failures();
    let manner = Manner {
        failures_open: failures <= OPEN_FAILURES,
        brief: record.scenarios().count() >= MANY,
    };
    let frame = frame(record, timeline, sources).into_string();
    let (before, after) = frame.split_once(LIST).unwrap_or((&frame, ""));
    to.write_all(before.as_bytes())?;
    for stage in &record.stages {
        let section = stage_section(stage).into_string();
        let (before, after) = section.split_once(LIST).unwrap_or((&section, ""));
        to.write_all(before.as_bytes())?;
        for entry in &stage.scenarios {
            to.write_all(scenario(entry, sources, manner).into_string().as_bytes())?;
        }
        to.write_all(after.as_bytes())?;
    }
    to.write_all(after.as_bytes())
}

/// The document but for the list of scenarios.
fn frame(record: &Record, timeline: &Timeline, sources: &Sources) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (title(record)) }
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body class=[(record.scenarios().count() >= MANY).then_some("many")] {
                a.skip href="#scenarios" { "Skip to the scenarios" }
                (signs())
                (summary::header(record))
                main {
                    (summary::failures(record, sources))
                    (summary::time(record, timeline))
                    (timeline_section(timeline))
                    section aria-labelledby="scenarios" {
                        h2 id="scenarios" { "Scenarios" }
                        (toolbar(record))
                        (PreEscaped(LIST))
                    }
                    (environment::environment(record))
                    (files(record, sources))
                }
                footer {
                    p {
                        "Made by lago-test " (env!("CARGO_PKG_VERSION")) " from "
                        a href="./events.jsonl" { "events.jsonl" } "."
                    }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

/// What the document may load and run: itself.
fn policy() -> String {
    let hash = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; img-src data:; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; \
         form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

fn title(record: &Record) -> String {
    let failed = summary::Counts::of(record).failures();
    match (failed, &record.result) {
        (_, None) => format!("✗ {}: did not end", record.suite),
        (0, _) => format!("✓ {}", record.suite),
        (failed, _) => format!("✗ {}: {failed} failed", record.suite),
    }
}

fn timeline_section(timeline: &Timeline) -> Markup {
    html! {
        section aria-labelledby="timeline" {
            h2 id="timeline" { "Timeline" }
            div.tools hidden data-script="" {
                button type="button" data-zoom="in" { "Zoom in" }
                button type="button" data-zoom="out" disabled { "Zoom out" }
            }
            (chart::chart(timeline))
            (timeline_table(timeline))
        }
    }
}

/// The same as text.
fn timeline_table(timeline: &Timeline) -> Markup {
    let mut rows: Vec<_> = timeline
        .lanes
        .iter()
        .chain(&timeline.vms)
        .flat_map(|track| track.spans.iter().map(move |span| (track, span)))
        .collect();
    rows.sort_by_key(|(_, span)| span.from);
    html! {
        details.as-table {
            summary { "The timeline as a table" }
            div.scroll tabindex="0" role="region" aria-label="The timeline as a table" {
                table {
                    thead { tr {
                        th.number scope="col" { "From" }
                        th.number scope="col" { "Took" }
                        th scope="col" { "Where" }
                        th scope="col" { "What" }
                    } }
                    tbody {
                        @for (track, span) in rows.iter().take(TABLE_ROWS) {
                            tr {
                                td.number { (words::microseconds(span.from)) }
                                td.number { (words::microseconds(span.length())) }
                                td { (track.name()) }
                                td {
                                    (span.what.name())
                                    @if let Doing::Scenario { outcome: Some(outcome), .. } = &span.what {
                                        ": " (Verdict::of_outcome(outcome).word())
                                    }
                                }
                            }
                        }
                    }
                }
                @if rows.len() > TABLE_ROWS {
                    p { "And " (rows.len() - TABLE_ROWS) " more: see the trace." }
                }
            }
        }
    }
}

/// The tools of the list, which need the script.
fn toolbar(record: &Record) -> Markup {
    let counts = summary::Counts::of(record);
    html! {
        div.tools hidden data-script="" role="group" aria-label="Filter" {
            label.search {
                span { "Search" }
                input type="search" id="search" autocomplete="off" spellcheck="false"
                    placeholder="name, reason, output";
            }
            @for (verdict, count) in counts.present() {
                button type="button" class=(verdict.class()) aria-pressed="false"
                    data-filter=(verdict.class())
                { (verdict.sign()) " " (verdict.word()) " " span.count { (count) } }
            }
            button type="button" data-all="open" { "Open all" }
            button type="button" data-all="close" { "Close all" }
        }
        p.found role="status" aria-live="polite" {}
    }
}

fn stage_section(stage: &Stage) -> Markup {
    let failed = stage.scenarios.iter().filter(|scenario| scenario.has_failed()).count();
    let took: u64 = stage.scenarios.iter().map(|scenario| scenario.took_ms).sum();
    html! {
        section.stage {
            h3 {
                (stage.name) " "
                small {
                    (words::counted(stage.scenarios.len(), "scenario"))
                    @if failed > 0 { ", " (failed) " failed" }
                    ", " (words::milliseconds(took))
                }
            }
            (PreEscaped(LIST))
        }
    }
}

/// Links to what else the run has left.
fn files(record: &Record, sources: &Sources) -> Markup {
    let suite = &record.suite;
    let places = [
        ("events.jsonl".to_owned(), "everything that happened, a JSON object a line"),
        (format!("{suite}.junit.xml"), "the JUnit report"),
        (
            format!("{suite}.trace.json"),
            "the timeline as a trace; ui.perfetto.dev and chrome://tracing open it",
        ),
        ("scenarios/".to_owned(), "the output of each scenario and worker"),
        ("logs/console/".to_owned(), "what each VM wrote to its serial console"),
        ("logs/forks/".to_owned(), "the logs of forks in which something failed"),
        ("prefix.json".to_owned(), "what the environment was made from"),
    ];
    let there: Vec<(PathBuf, &str)> = places
        .into_iter()
        .map(|(path, what)| (PathBuf::from(path), what))
        .filter(|(path, _)| sources.has(path) || path == Path::new(&format!("{suite}.trace.json")))
        .collect();
    html! {
        section aria-labelledby="files" {
            h2 id="files" { "Files" }
            ul.files {
                @for (path, what) in there {
                    li { a href=(words::link(&path)) { (path.display()) } ": " (what) }
                }
            }
        }
    }
}
