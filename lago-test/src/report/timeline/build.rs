//! From events to a timeline.
//!
//! Most events say at their end how long something took; a scenario has an event at its start as well, so one that never
//! ended is there too.

use std::cmp::Reverse;
use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Doing, Mark, Span, Timeline, Track};
use crate::events::{Event, What};
use crate::outcome::Outcome;

/// The timeline of these events.
pub(in super::super) fn timeline(events: &[Event]) -> Timeline {
    let mut builder = Builder::default();
    for event in events {
        builder.take(event);
    }
    builder.finish()
}

/// A lane: the fork, or the prefix.
type Lane = Option<String>;

/// A span before it is known when the run began.
#[derive(Debug)]
struct Dated {
    lane: Lane,
    vm: Option<String>,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    what: Doing,
}

/// A scenario that runs.
#[derive(Debug)]
struct Running {
    since: DateTime<Utc>,
    lane: Lane,
    vms: Vec<String>,
}

#[derive(Debug, Default)]
struct Builder {
    spans: Vec<Dated>,
    marks: Vec<(Lane, DateTime<Utc>, String)>,
    lanes: Vec<Lane>,
    lane_of_worker: HashMap<u32, Lane>,
    lane_of_stage: HashMap<String, Lane>,
    running: HashMap<(String, String), Running>,
    /// How long the attempts took that have ended, of a scenario that has not.
    before: HashMap<(String, String), u64>,
    starting: Option<DateTime<Utc>>,
    first: Option<DateTime<Utc>>,
    last: DateTime<Utc>,
    /// When a lane's worker ended last.
    dismissed: HashMap<Lane, DateTime<Utc>>,
}

impl Builder {
    fn take(&mut self, event: &Event) {
        let at = event.at;
        self.first.get_or_insert(at);
        match &event.what {
            What::EnvironmentStarting => self.starting = Some(at),
            What::EnvironmentUp { took_ms, from_cache } => {
                let how = if *from_cache { "from the cache" } else { "by a boot" };
                self.ended(None, at, *took_ms, Doing::BringUp { how, failed: false });
            }
            What::EnvironmentFailed { reason } => {
                let from = self.starting.unwrap_or(at);
                let what = Doing::BringUp { how: "failed", failed: true };
                self.span(None, None, from, at, what);
                self.mark(None, at, format!("the environment failed: {reason}"));
            }
            What::WorkEnded { work, vm, subject, began, took_ms, fork } => {
                let what = Doing::Work { work: work.clone(), subject: subject.clone() };
                self.span(fork.clone(), vm.clone(), *began, later(*began, *took_ms), what);
            }
            What::StateSaved { state, took_ms, fork } => {
                self.ended(fork.clone(), at, *took_ms, Doing::Save { state: state.clone() });
            }
            What::StateRestored { state, took_ms, fork } => {
                self.ended(fork.clone(), at, *took_ms, Doing::Restore { state: state.clone() });
            }
            What::ForkStarted { fork, state, took_ms, .. } => {
                let what = Doing::Fork { state: state.clone() };
                self.ended(Some(fork.clone()), at, *took_ms, what);
            }
            What::ForkEnded { fork, kept } => self.fork_ended(fork, kept.as_deref(), at),
            What::StageFinished { stage, saving_ms: Some(took_ms), .. } => {
                let lane = self.lane_of_stage.get(stage).cloned().flatten();
                self.ended(lane, at, *took_ms, Doing::Save { state: stage.clone() });
            }
            What::ShellClosed { stage, scenario, took_ms } => {
                let lane = self.lane_of_stage.get(stage).cloned().flatten();
                let subject = Some(format!("after {stage}::{scenario}"));
                self.ended(lane, at, *took_ms, Doing::Work { work: "shell".to_owned(), subject });
            }
            What::EnvironmentDiscarded => self.taken_down(at, "remove the environment"),
            What::EnvironmentStopped { .. } => self.taken_down(at, "stop the environment"),
            _ => self.take_of_scenario(event),
        }
        self.last = self.last.max(at);
    }

    fn take_of_scenario(&mut self, event: &Event) {
        let at = event.at;
        match &event.what {
            What::WorkerStarted { worker, fork, .. } => {
                self.lane_of_worker.insert(*worker, fork.clone());
            }
            What::WorkerEnded { worker, how } => {
                let lane = self.lane_of_worker.get(worker).cloned().flatten();
                if how != QUIET_END {
                    self.mark(lane.clone(), at, format!("worker {worker} {how}"));
                }
                self.dismissed.insert(lane, at);
            }
            What::ScenarioStarted { stage, scenario, worker, vms, .. } => {
                let lane = self.lane_of_worker.get(worker).cloned().flatten();
                self.lane_of_stage.insert(stage.clone(), lane.clone());
                let running = Running { since: at, lane, vms: vms.clone() };
                self.running.insert((stage.clone(), scenario.clone()), running);
            }
            What::ScenarioRepeated { stage, scenario, repetition, outcome, took_ms, .. } => {
                self.attempt_ended(stage, scenario, Some(*repetition), outcome, *took_ms, at);
            }
            What::ScenarioTried { stage, scenario, attempt, outcome, took_ms, .. } => {
                self.attempt_ended(stage, scenario, Some(*attempt), outcome, *took_ms, at);
            }
            What::ScenarioFinished { stage, scenario, outcome, took_ms, .. } => {
                let key = (stage.clone(), scenario.clone());
                let before = self.before.remove(&key).unwrap_or(0);
                let took_ms = took_ms.saturating_sub(before);
                self.attempt_ended(stage, scenario, None, outcome, took_ms, at);
            }
            What::EvidenceCollected { stage, scenario, took_ms, .. } => {
                let lane = self.lane_of_stage.get(stage).cloned().flatten();
                let what = Doing::Evidence { stage: stage.clone(), scenario: scenario.clone() };
                self.ended(lane, at, *took_ms, what);
            }
            What::CapsuleNotSaved { stage, scenario, reason } => {
                self.mark(None, at, format!("no capsule of {stage}::{scenario}: {reason}"));
            }
            What::StateNotSaved { state, reason } => {
                self.mark(None, at, format!("the state {state} was not saved: {reason}"));
            }
            What::Interrupted { signal } => self.mark(None, at, format!("interrupted by {signal}")),
            What::EnvironmentLeft { reason } => {
                self.mark(None, at, format!("the environment is left: {reason}"));
            }
            _ => {}
        }
    }

    fn attempt_ended(
        &mut self,
        stage: &str,
        scenario: &str,
        attempt: Option<u32>,
        outcome: &Outcome,
        took_ms: u64,
        at: DateTime<Utc>,
    ) {
        let key = (stage.to_owned(), scenario.to_owned());
        let Some(running) = self.running.remove(&key) else { return };
        if attempt.is_some() {
            *self.before.entry(key).or_default() += took_ms;
        }
        let what = Doing::Scenario {
            stage: stage.to_owned(),
            scenario: scenario.to_owned(),
            attempt,
            outcome: Some(outcome.clone()),
            vms: running.vms,
        };
        let to = at.min(later(running.since, took_ms));
        self.span(running.lane, None, running.since, to, what);
    }

    fn fork_ended(&mut self, fork: &str, kept: Option<&str>, at: DateTime<Utc>) {
        let lane = Some(fork.to_owned());
        match (kept, self.dismissed.get(&lane)) {
            (Some(reason), _) => self.mark(lane, at, format!("the fork stays: {reason}")),
            (None, Some(&from)) => {
                self.span(lane, None, from, at, Doing::TakeDown { how: "remove the fork" });
            }
            (None, None) => {}
        }
    }

    /// Nothing else happens while the environment is taken down, so it began with the event before.
    fn taken_down(&mut self, at: DateTime<Utc>, how: &'static str) {
        self.span(None, None, self.last, at, Doing::TakeDown { how });
    }

    fn ended(&mut self, lane: Lane, at: DateTime<Utc>, took_ms: u64, what: Doing) {
        self.span(lane, None, earlier(at, took_ms), at, what);
    }

    fn span(
        &mut self,
        lane: Lane,
        vm: Option<String>,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        what: Doing,
    ) {
        self.know(&lane);
        self.spans.push(Dated { lane, vm, from, to: to.max(from), what });
    }

    fn mark(&mut self, lane: Lane, at: DateTime<Utc>, what: String) {
        self.know(&lane);
        self.marks.push((lane, at, what));
    }

    fn know(&mut self, lane: &Lane) {
        if !self.lanes.contains(lane) {
            self.lanes.push(lane.clone());
        }
    }

    fn finish(mut self) -> Timeline {
        self.cut_short();
        let earliest = self.spans.iter().map(|span| span.from).chain(self.first).min();
        let start = earliest.unwrap_or_default();
        let latest = self.spans.iter().map(|span| span.to).chain([self.last]).max();
        let end = latest.unwrap_or(start).max(start);
        let offset = |at: DateTime<Utc>| microseconds(at - start);

        // What holds others comes before them.
        self.spans.sort_by_key(|span| (span.from, Reverse(span.to)));
        // The prefix comes first, forks as they came.
        self.lanes.sort_by_key(Option::is_some);
        let mut lanes: Vec<Track> =
            self.lanes.iter().map(|lane| Track::new(lane.clone(), None)).collect();
        let mut vms: Vec<Track> = Vec::new();
        for Dated { lane, vm, from, to, what } in self.spans {
            let span = Span { from: offset(from), to: offset(to), what };
            let tracks = if vm.is_some() { &mut vms } else { &mut lanes };
            track(tracks, lane, vm).spans.push(span);
        }
        for (lane, at, what) in self.marks {
            track(&mut lanes, lane, None).marks.push(Mark { at: offset(at), what });
        }
        vms.sort_by_key(|track| {
            let lane = self.lanes.iter().position(|lane| *lane == track.fork);
            (lane, track.vm.clone())
        });
        Timeline { start, length: offset(end), lanes, vms }
    }

    /// What runs when the events end has no end of its own.
    fn cut_short(&mut self) {
        let mut left: Vec<_> = self.running.drain().collect();
        left.sort_by_key(|(_, running)| running.since);
        for ((stage, scenario), Running { since, lane, vms }) in left {
            let what = Doing::Scenario { stage, scenario, attempt: None, outcome: None, vms };
            self.span(lane, None, since, self.last, what);
        }
    }
}

/// How a worker ends that was asked to.
const QUIET_END: &str = "exited with code 0";

fn track(tracks: &mut Vec<Track>, fork: Lane, vm: Option<String>) -> &mut Track {
    let at = tracks.iter().position(|track| track.fork == fork && track.vm == vm);
    let at = at.unwrap_or_else(|| {
        tracks.push(Track::new(fork, vm));
        tracks.len() - 1
    });
    &mut tracks[at]
}

/// A time that no calendar has is of no use.
fn later(at: DateTime<Utc>, milliseconds: u64) -> DateTime<Utc> {
    delta(milliseconds).and_then(|delta| at.checked_add_signed(delta)).unwrap_or(at)
}

fn earlier(at: DateTime<Utc>, milliseconds: u64) -> DateTime<Utc> {
    delta(milliseconds).and_then(|delta| at.checked_sub_signed(delta)).unwrap_or(at)
}

fn delta(milliseconds: u64) -> Option<TimeDelta> {
    i64::try_from(milliseconds).ok().and_then(TimeDelta::try_milliseconds)
}

fn microseconds(delta: TimeDelta) -> u64 {
    delta.num_microseconds().and_then(|count| u64::try_from(count).ok()).unwrap_or(0)
}
