//! Runs that are ended from outside.

use std::io::PipeReader;

use lago_test::events::{RunResult, What};

use crate::run::{Fixture, Running, is_alive, wait_until};

crate::trials![
    an_interrupted_wait_for_another_run_ends,
    an_interrupted_run_has_its_reports,
    termination_is_the_same,
    a_signal_that_was_ignored_stays_so,
    a_stage_that_was_cut_short_is_not_whole,
    a_second_interrupt_leaves_at_once,
    a_killed_coordinator_leaves_readable_events_and_no_worker,
    a_stopped_reader_does_not_leave_a_worker,
];

/// Starts the suite whose second scenario waits, and gives the process that waits.
fn waiting() -> (Running, String) {
    let running = Fixture::new("slow").start();
    let log = running.wait_for("scenarios/only.waits.log", "\n");
    let worker = log.trim().strip_prefix("waiting in ").unwrap().to_owned();
    assert!(is_alive(&worker));
    (running, worker)
}

fn an_interrupted_run_has_its_reports() {
    let (running, worker) = waiting();
    running.signal("-INT");
    let ran = running.wait();
    assert_eq!(ran.exit_code(), Some(130));
    assert_eq!(
        ran.words(),
        ["only::says_hello passed", "only::waits errored", "only::fetch not_run"]
    );
    assert!(ran.outcome("only::waits").to_string().contains("interrupted by SIGINT"));
    assert!(!is_alive(&worker));
    assert!(ran.stderr().contains("once more to leave at once"), "{}", ran.stderr());

    let last = ran.events().pop().unwrap().what;
    assert_eq!(last, What::RunFinished { result: RunResult::Interrupted, exit_code: 130 });
    let junit = ran.valid_junit();
    assert!(junit.contains(r#"<skipped message="not run: interrupted by SIGINT""#), "{junit}");
}

fn termination_is_the_same() {
    let (running, _) = waiting();
    running.signal("-TERM");
    let ran = running.wait();
    assert_eq!(ran.exit_code(), Some(143));
    ran.valid_junit();
}

/// `nohup cargo test`, and a script's `cargo test &`.
fn a_signal_that_was_ignored_stays_so() {
    for (trap, signal) in [("HUP", "-HUP"), ("INT", "-INT")] {
        let running = Fixture::ignoring("brief", trap).start();
        running.wait_for("scenarios/only.pauses.log", "\n");
        running.signal(signal);
        let ran = running.wait();
        assert_eq!(ran.exit_code(), Some(0), "{trap}: {}", ran.stderr());
        assert_eq!(ran.words(), ["only::pauses passed", "only::fetch passed"]);
    }
}

/// What a tolerated scenario has done by half would be in the state at the end of its stage.
fn a_stage_that_was_cut_short_is_not_whole() {
    let running = Fixture::new("slow_end").start();
    running.wait_for("scenarios/only.waits.log", "waiting in");
    running.signal("-INT");
    let ran = running.wait();
    assert_eq!(ran.words(), ["only::says_hello passed", "only::waits errored"]);
    let not_kept = ran.events().into_iter().find_map(|event| match event.what {
        What::StageFinished { not_kept, .. } => not_kept,
        _ => None,
    });
    assert_eq!(not_kept.as_deref(), Some("not all of it has run and passed"));
}

fn a_second_interrupt_leaves_at_once() {
    // Nobody reads what the run prints, so it cannot end by itself after the first one.
    let (running, reader) = Fixture::new("chatty").args(&["--nocapture"]).start_with_reader();
    running.wait_for("events.jsonl", "scenario_started");
    wait_until("a full pipe", || is_full(&reader));
    running.signal("-INT");
    wait_until("the first one's message", || {
        running.stderr().contains("once more to leave at once")
    });
    running.signal("-INT");
    let ran = running.wait();
    assert_eq!(ran.exit_code(), Some(130));
    assert!(ran.stderr().contains("left at once; nothing is left running"), "{}", ran.stderr());
    drop(reader);
}

fn is_full(pipe: &PipeReader) -> bool {
    let waiting = rustix::io::ioctl_fionread(pipe).unwrap();
    waiting >= 60 << 10
}

fn a_killed_coordinator_leaves_readable_events_and_no_worker() {
    let (running, worker) = waiting();
    running.signal("-KILL");
    let ran = running.wait();
    assert_eq!(ran.exit_code(), None);
    wait_until("the worker's end", || !is_alive(&worker));
    assert_eq!(ran.words(), ["only::says_hello passed"]);
    let started = ran.events().pop().unwrap().what;
    assert!(matches!(started, What::ScenarioStarted { scenario, .. } if scenario == "waits"));
}

/// `cargo test | head -1`
fn a_stopped_reader_does_not_leave_a_worker() {
    let (running, reader) = Fixture::new("brief").start_with_reader();
    let worker = running.wait_for("scenarios/only.pauses.log", "\n");
    drop(reader);
    let ran = running.wait();
    assert_ne!(ran.exit_code(), Some(0));
    assert_eq!(ran.words(), ["only::pauses passed"], "printing its result failed");
    assert!(!is_alive(worker.trim()));
    let last = ran.events().pop().unwrap().what;
    assert!(matches!(last, What::RunFinished { .. }), "{last:?}");
    assert!(ran.valid_junit().contains("the run ended before it did"));
}

fn an_interrupted_wait_for_another_run_ends() {
    let directory = tempfile::tempdir().unwrap();
    let lock = std::fs::File::create(directory.path().join("default.lock")).unwrap();
    lock.lock().unwrap();
    let workdir = directory.path().to_str().unwrap();
    let running = Fixture::new("passing").env("LAGO_FIXTURE_WORKDIR", workdir).start();
    wait_until("the wait", || running.stderr().contains("waiting for another run"));
    running.signal("-INT");
    let ran = running.wait();
    assert_eq!(ran.exit_code(), Some(130));
    assert!(ran.stdout().contains("interrupted while waiting"), "{}", ran.stdout());
}
