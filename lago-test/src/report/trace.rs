//! The timeline of a run as a trace that <https://ui.perfetto.dev> and `chrome://tracing` open.
//!
//! The format is the JSON object format of "Trace Event Format" (Duan, Sinclair; The Chromium Authors,
//! <https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU>): complete events (`ph` is `X`) with
//! start and duration in microseconds, instant events (`i`), and metadata events (`M`) that name processes and threads. A
//! lane is a thread of the process "lanes", a VM one of the process "VMs"; what the library did to a lane as a whole is a
//! thread of its own below the lane. What overlaps without lying inside the other gets a second thread of the same name.

use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::RecordedRun;
use super::text::clean;
use super::timeline::{Doing, Span, Timeline, rows, timeline};

/// The process whose threads are lanes.
const LANES: u32 = 1;

/// The process whose threads are VMs.
const VMS: u32 = 2;

/// A trace file.
#[derive(Debug, Serialize)]
struct Trace {
    #[serde(rename = "traceEvents")]
    events: Vec<TraceEvent>,
    #[serde(rename = "displayTimeUnit")]
    display_time_unit: &'static str,
    #[serde(rename = "otherData")]
    other_data: Value,
}

/// One event of a trace, with those fields that its phase has.
#[derive(Debug, Default, Serialize)]
struct TraceEvent {
    name: String,
    #[serde(rename = "ph")]
    phase: &'static str,
    pid: u32,
    tid: usize,
    /// In microseconds.
    ts: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<u64>,
    #[serde(rename = "cat", skip_serializing_if = "Option::is_none")]
    category: Option<&'static str>,
    /// How far an instant event's line goes: `t` is its thread.
    #[serde(rename = "s", skip_serializing_if = "Option::is_none")]
    scope: Option<&'static str>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    args: Map<String, Value>,
}

/// Writes the trace of a run in one step.
pub(crate) fn write(run: &RecordedRun, path: &Path) -> io::Result<()> {
    let trace = trace(&timeline(&run.events), run.suite().unwrap_or_default());
    super::write_atomically(path, |file| {
        let mut file = BufWriter::new(file);
        serde_json::to_writer(&mut file, &trace)?;
        file.write_all(b"\n")?;
        file.flush()
    })
}

fn trace(timeline: &Timeline, suite: &str) -> Trace {
    let mut lanes = Process::new(LANES, &format!("{suite}: lanes"));
    for lane in &timeline.lanes {
        let is_work = |span: &&Span| matches!(span.what, Doing::Work { .. });
        let own = lanes.threads(&lane.name(), lane.spans.iter().filter(|span| !is_work(span)));
        lanes.events.extend(lane.marks.iter().map(|mark| TraceEvent {
            name: clean(&mark.what),
            phase: "i",
            pid: LANES,
            tid: own,
            ts: mark.at,
            scope: Some("t"),
            ..TraceEvent::default()
        }));
        if lane.spans.iter().any(|span| is_work(&span)) {
            lanes.threads(&format!("{}: lago", lane.name()), lane.spans.iter().filter(is_work));
        }
    }
    let mut vms = Process::new(VMS, &format!("{suite}: VMs"));
    for vm in &timeline.vms {
        vms.threads(&vm.name(), &vm.spans);
    }
    Trace {
        events: lanes.events.into_iter().chain(vms.events).collect(),
        display_time_unit: "ms",
        other_data: json!({ "suite": suite, "start": timeline.start, "generator": GENERATOR }),
    }
}

/// The events of one process.
#[derive(Debug)]
struct Process {
    pid: u32,
    /// The number of its last thread.
    last: usize,
    events: Vec<TraceEvent>,
}

impl Process {
    fn new(pid: u32, name: &str) -> Self {
        let mut process = Self { pid, last: 0, events: Vec::new() };
        process.describe("process_name", 0, ("name", json!(clean(name))));
        process
    }

    /// Adds spans as a thread, or as several where they overlap. Gives the number of the first.
    fn threads<'a>(&mut self, name: &str, spans: impl IntoIterator<Item = &'a Span>) -> usize {
        let first = self.last + 1;
        let mut rows = rows(spans);
        rows.resize_with(rows.len().max(1), Vec::new);
        for row in rows {
            self.last += 1;
            self.describe("thread_name", self.last, ("name", json!(clean(name))));
            self.describe("thread_sort_index", self.last, ("sort_index", json!(self.last)));
            let (pid, tid) = (self.pid, self.last);
            self.events.extend(row.into_iter().map(|span| complete(span, pid, tid)));
        }
        first
    }

    fn describe(&mut self, what: &str, tid: usize, (name, value): (&str, Value)) {
        self.events.push(TraceEvent {
            name: what.to_owned(),
            phase: "M",
            pid: self.pid,
            tid,
            args: Map::from_iter([(name.to_owned(), value)]),
            ..TraceEvent::default()
        });
    }
}

/// Who writes it.
const GENERATOR: &str = concat!("lago-test ", env!("CARGO_PKG_VERSION"));

fn complete(span: &Span, pid: u32, tid: usize) -> TraceEvent {
    let args = match &span.what {
        Doing::Scenario { outcome, vms, .. } => {
            let outcome = outcome.as_ref();
            let word = outcome.map_or("cut short", |outcome| outcome.word());
            let reason = outcome.map(|outcome| clean(&outcome.to_string())).unwrap_or_default();
            let mut args = Map::from_iter([("outcome".to_owned(), json!(word))]);
            if !reason.is_empty() {
                args.insert("reason".to_owned(), json!(reason));
            }
            if !vms.is_empty() {
                args.insert("vms".to_owned(), json!(vms));
            }
            args
        }
        _ => Map::new(),
    };
    TraceEvent {
        name: clean(&span.what.name()),
        phase: "X",
        pid,
        tid,
        ts: span.from,
        dur: Some(span.length()),
        category: Some(span.what.kind()),
        scope: None,
        args,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::events;
    use super::*;

    #[test]
    fn the_form_is_that_of_the_specification() {
        let trace = serde_json::to_value(trace(&timeline(&events()), "web")).unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(&trace).unwrap());
    }

    #[test]
    fn what_is_on_one_thread_lies_inside_each_other_or_beside() {
        let Trace { events: trace_events, .. } = trace(&timeline(&events()), "web");
        let complete: Vec<_> = trace_events.iter().filter(|event| event.phase == "X").collect();
        for (number, one) in complete.iter().enumerate() {
            let end = |event: &TraceEvent| event.ts + event.dur.unwrap();
            let same = |other: &&&TraceEvent| (other.pid, other.tid) == (one.pid, one.tid);
            for other in complete[number + 1..].iter().filter(same) {
                let apart = end(one) <= other.ts || end(other) <= one.ts;
                let inside = |inner: &TraceEvent, outer: &TraceEvent| {
                    outer.ts <= inner.ts && end(inner) <= end(outer)
                };
                assert!(apart || inside(one, other) || inside(other, one), "{one:?} {other:?}");
            }
        }
    }
}
