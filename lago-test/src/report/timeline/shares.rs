//! What the time went to.

use super::{Doing, Timeline, Track};

/// One kind of thing that took time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Share {
    /// [`Doing::kind`], or `waiting` for the time in which nothing of all that happened.
    pub(in super::super) kind: &'static str,
    /// How often.
    pub(in super::super) count: usize,
    /// How long, in microseconds, in all lanes together.
    pub(in super::super) took: u64,
}

/// The kinds, in the order in which they come in a run.
const KINDS: [&str; 7] =
    ["bring-up", "scenario", "evidence", "save", "revert", "fork", "take-down"];

/// What the time of all lanes went to, without kinds that did not occur. A lane's time is that from its first event to
/// its last one.
pub(in super::super) fn shares(timeline: &Timeline) -> Vec<Share> {
    let kinds = KINDS.iter().map(|kind| {
        let spans = timeline.lanes.iter().flat_map(|lane| &lane.spans);
        let of_kind = spans.filter(|span| span.what.kind() == *kind);
        let (count, took) =
            of_kind.fold((0, 0), |(count, took), span| (count + 1, took + span.length()));
        Share { kind, count, took }
    });
    let mut shares: Vec<Share> = kinds.filter(|share| share.count > 0).collect();
    let waiting: u64 = timeline.lanes.iter().map(|lane| idle(lane, timeline.length)).sum();
    if waiting > 0 {
        shares.push(Share { kind: "waiting", count: 0, took: waiting });
    }
    shares
}

/// How long nothing happened in a lane.
fn idle(lane: &Track, length: u64) -> u64 {
    let spans = || lane.spans.iter().filter(|span| !matches!(span.what, Doing::Work { .. }));
    // The prefix is there for the whole run, a fork while something happens in it.
    let (begin, end) = match lane.fork {
        None => (0, length),
        Some(_) => (
            spans().map(|span| span.from).min().unwrap_or(0),
            spans().map(|span| span.to).max().unwrap_or(0),
        ),
    };
    let mut idle = 0;
    let mut busy_until = begin;
    // They are in the order in which they begin.
    for span in spans() {
        idle += span.from.saturating_sub(busy_until);
        busy_until = busy_until.max(span.to);
    }
    idle + end.saturating_sub(busy_until)
}
