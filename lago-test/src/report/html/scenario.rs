//! One scenario in the list: a line, and below it all that there is to say.

use std::path::{Path, PathBuf};

use maud::{Markup, html};

use super::super::text::{clean, first_line};
use super::record::{Attempt, Capsule, Console, Evidence, Fate, Scenario, Why, anchor};
use super::sources::{self, Excerpt, For, Sources};
use super::verdict::Verdict;
use super::words;
use crate::outcome::Outcome;

/// The longest reason in a line of the list, in characters.
const SHORT_REASON: usize = 300;

/// The longest reason below it, in bytes.
const REASON: usize = 16 << 10;

/// How the list is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// Whether what failed is open from the start.
    pub(super) failures_open: bool,
    /// Whether of what passed there is a line only: there is much of it.
    pub(super) brief: bool,
}

/// A scenario's line, and below it all that there is to say.
pub(super) fn scenario(scenario: &Scenario, sources: &Sources, manner: Manner) -> Markup {
    let verdict = Verdict::of(scenario);
    let class = format!("entry {}", verdict.class());
    if manner.brief && is_uneventful(scenario) {
        return html! {
            div class=(class) id=(scenario.anchor()) data-outcome=(verdict.class()) {
                (line(scenario, verdict))
            }
        };
    }
    html! {
        details class=(class) id=(scenario.anchor()) data-outcome=(verdict.class())
            open[manner.failures_open && verdict.is_failure()]
        {
            summary { (line(scenario, verdict)) }
            div.body { (body(scenario, verdict, sources)) }
        }
    }
}

/// Whether its line says all.
fn is_uneventful(scenario: &Scenario) -> bool {
    matches!(scenario.fate, Fate::Ended(Outcome::Passed) | Fate::NotReached)
        && scenario.output.is_none()
        && scenario.attempts.is_empty()
        && scenario.consoles.is_empty()
}

fn line(scenario: &Scenario, verdict: Verdict) -> Markup {
    let why = short(&scenario.reason());
    html! {
        (verdict.badge())
        span.name { (scenario.name) }
        @if scenario.prerequisite { span.tag { "prerequisite" } }
        @if let Some(last) = scenario.attempts.last() {
            span.tag {
                @match last.why {
                    Why::Repeated => { "ran " (scenario.attempts.len()) " of " (last.of) " times" },
                    Why::Tried => { "try " (last.number) " of " (last.of) },
                }
            }
        }
        span.took { (took(scenario)) }
        @if !why.is_empty() { span.why { (why) } }
    }
}

/// The first line of a reason, as far as it is short.
fn short(reason: &str) -> String {
    let line = first_line(reason);
    let end = line.char_indices().nth(SHORT_REASON).map_or(line.len(), |(end, _)| end);
    let more = if end < line.len() { "…" } else { "" };
    clean(&line[..end]) + more
}

fn took(scenario: &Scenario) -> String {
    match (&scenario.fate, &scenario.start) {
        (Fate::Ended(_), Some(_)) => words::milliseconds(scenario.took_ms),
        _ => String::new(),
    }
}

fn body(scenario: &Scenario, verdict: Verdict, sources: &Sources) -> Markup {
    let whom = if verdict.is_failure() { For::Failure } else { For::Other };
    html! {
        (reason(scenario, sources))
        (blocking(scenario))
        (attempts(scenario, sources, whom))
        (screenshots(&scenario.evidence, sources))
        @if let Some(path) = &scenario.output {
            (output(scenario, path, sources, whom))
        }
        @for console in &scenario.consoles {
            (self::console(scenario, console, sources, whom))
        }
        (evidence(scenario, sources))
        @if let Some(capsule) = &scenario.capsule {
            (self::capsule(capsule))
        }
        (facts(scenario))
    }
}

fn reason(scenario: &Scenario, sources: &Sources) -> Markup {
    if let Fate::Ended(Outcome::Blocked { by }) = &scenario.fate {
        return html! {
            p {
                "It did not run, because "
                @match by.split_once("::") {
                    Some((stage, name)) => a href={ "#" (anchor(stage, name)) } { (by) },
                    None => a href="#environment" { "the " (clean(by)) },
                }
                " did not pass."
            }
        };
    }
    let reason = scenario.reason();
    html! {
        @if !reason.is_empty() {
            h4 { "Why" }
            (text_block("Why", scenario, &clean(&sources.said(&reason, REASON))))
        }
    }
}

fn blocking(scenario: &Scenario) -> Markup {
    /// More than that is a number.
    const SHOWN: usize = 20;
    let blocked = &scenario.blocks;
    html! {
        @if !blocked.is_empty() {
            p {
                "It blocks " (words::counted(blocked.len(), "scenario")) ": "
                @for (number, name) in blocked.iter().take(SHOWN).enumerate() {
                    @if number > 0 { ", " }
                    @let (stage, scenario) = name.split_once("::").unwrap_or(("", name));
                    a href={ "#" (anchor(stage, scenario)) } { (name) }
                }
                @if blocked.len() > SHOWN { " and " (blocked.len() - SHOWN) " more" }
                "."
            }
        }
    }
}

fn attempts(scenario: &Scenario, sources: &Sources, whom: For) -> Markup {
    let Some(first) = scenario.attempts.first() else { return html! {} };
    let failed = scenario.attempts.iter().filter(|attempt| attempt.outcome.is_failure()).count();
    let title = match first.why {
        Why::Repeated => "Repetitions",
        Why::Tried => "Tries",
    };
    html! {
        h4 { (title) }
        p { "It failed " (failed) " of " (words::counted(scenario.attempts.len(), "time")) "." }
        ol.attempts {
            @for attempt in &scenario.attempts {
                li value=(attempt.number) { (self::attempt(scenario, attempt, sources, whom)) }
            }
        }
    }
}

fn attempt(scenario: &Scenario, attempt: &Attempt, sources: &Sources, whom: For) -> Markup {
    html! {
        (Verdict::of_outcome(&attempt.outcome).badge()) " "
        (words::milliseconds(attempt.took_ms)) " "
        span.why { (short(&attempt.outcome.to_string())) }
        @if let Some(part) = &attempt.output {
            @let title = format!("Output of try {}", attempt.number);
            @let logs = std::slice::from_ref(&part.path);
            @let end = part.offset.saturating_add(part.bytes);
            details.file {
                summary { (title) }
                (excerpt(&title, scenario, &sources.part(logs, part.offset, Some(end), whom)))
            }
        }
    }
}

fn screenshots(evidence: &[Evidence], sources: &Sources) -> Markup {
    let images: Vec<_> = evidence
        .iter()
        .flat_map(|evidence| &evidence.files)
        .filter(|path| is_image(path))
        .collect();
    html! {
        @if !images.is_empty() {
            h4 { "Screens" }
            div.screens {
                @for path in images {
                    @let name = in_evidence(path);
                    figure {
                        @match sources.image(path) {
                            Excerpt::Text(url) => img src=(url) alt={ "Screen: " (name) } loading="lazy";,
                            Excerpt::Missing(why) => p.missing { (why) },
                        }
                        figcaption { a href=(words::link(path)) { (in_evidence(path)) } }
                    }
                }
            }
        }
    }
}

fn output(scenario: &Scenario, path: &Path, sources: &Sources, whom: For) -> Markup {
    let limit = match whom {
        For::Failure => sources::FAILED_OUTPUT,
        For::Other => sources::PASSED_OUTPUT,
    };
    html! {
        h4 { "Output" }
        (excerpt("Output", scenario, &sources.text(path, limit, whom)))
        p.source { a href=(words::link(path)) { (path.display()) } }
    }
}

fn console(scenario: &Scenario, console: &Console, sources: &Sources, whom: For) -> Markup {
    let title = format!("Console of {}", console.vm);
    let there = console.logs.iter().find(|path| sources.has(path));
    html! {
        h4 { (title) ", while it ran" }
        (excerpt(&title, scenario, &sources.part(&console.logs, console.from, console.to, whom)))
        @if let Some(path) = there {
            p.source {
                a href=(words::link(path)) { (path.display()) }
                ", from byte " (console.from)
                @if let Some(to) = console.to { " to " (to) }
            }
        }
    }
}

fn evidence(scenario: &Scenario, sources: &Sources) -> Markup {
    html! {
        @for evidence in &scenario.evidence {
            h4 { "Evidence" }
            p { "Collected in " (words::milliseconds(evidence.took_ms)) "." }
            @if !evidence.problems.is_empty() {
                p { "What could not be had:" }
                ul.problems { @for problem in &evidence.problems { li { (clean(problem)) } } }
            }
            @for path in evidence.files.iter().filter(|path| is_text(path)) {
                @let name = in_evidence(path);
                details.file {
                    summary { (name) }
                    (excerpt(&name, scenario, &sources.text(path, sources::EVIDENCE, For::Failure)))
                    p.source { a href=(words::link(path)) { (path.display()) } }
                }
            }
            @let others = evidence.files.iter().filter(|path| !is_text(path));
            ul.files { @for path in others { li { a href=(words::link(path)) { (in_evidence(path)) } } } }
        }
    }
}

fn capsule(capsule: &Capsule) -> Markup {
    let path = &capsule.path;
    let mebibytes = capsule.bytes.div_ceil(1 << 20);
    html! {
        h4 { "Capsule" }
        p {
            a href=(words::link(path)) { (path.display()) }
            ", " (mebibytes) " MiB; " code { "lago capsule open " (path.display()) }
            " goes on from the moment of the failure, here or on another machine."
        }
    }
}

/// Text of a known length that a person wants to read at once rather than open.
fn is_text(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "log" || end == "txt" || end == "json")
}

fn is_image(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("png"))
}

/// A path below `evidence/<stage>.<scenario>`, which are the same for all.
fn in_evidence(path: &Path) -> String {
    let below: PathBuf = path.components().skip(2).collect();
    let short = if below.as_os_str().is_empty() { path } else { &below };
    clean(&short.to_string_lossy())
}

fn facts(scenario: &Scenario) -> Markup {
    let Some(start) = &scenario.start else { return html! {} };
    html! {
        h4 { "Facts" }
        dl.facts {
            dt { "Started" }
            dd { time datetime=(words::machine_date(start.at)) { (words::time(start.at)) } }
            @if let Some(limit) = start.limit_ms {
                dt { "Limit" }
                dd { (words::milliseconds(limit)) }
            }
            dt { "Where" }
            dd {
                @match &start.fork {
                    None => "in the prefix",
                    Some(fork) => { "in the fork " (fork) },
                }
                ", by worker " (start.worker)
            }
            @if !start.vms.is_empty() {
                dt { "VMs" }
                dd { (start.vms.join(", ")) }
            }
        }
    }
}

fn excerpt(title: &str, scenario: &Scenario, excerpt: &Excerpt) -> Markup {
    match excerpt {
        Excerpt::Text(text) => text_block(title, scenario, text),
        Excerpt::Missing(why) => html! { p.missing { (why) } },
    }
}

/// Text as it is. It scrolls when it is long, so it can be reached by the keyboard and has a name.
fn text_block(title: &str, scenario: &Scenario, text: &str) -> Markup {
    let label = format!("{title}: {}", scenario.full_name());
    html! {
        // The first line break after `pre` would be dropped.
        pre tabindex="0" role="region" aria-label=(label) { "\n" (text.trim_end_matches('\n')) }
    }
}
