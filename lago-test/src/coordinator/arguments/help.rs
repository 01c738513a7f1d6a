//! What `--help` says beside the options.

use std::fmt::Write as _;

pub(super) const ABOUT: &str = "\
Runs the scenarios of this suite, in declared order, against the VMs of its environment.

What is selected by a filter runs from the nearest saved state; what lies between runs first, as [prerequisite].";

pub(super) const SELECTING: &str = "What runs";
pub(super) const RUNNING: &str = "How it runs";
pub(super) const PRINTING: &str = "What is printed and written";

/// The variables that suites read. The README has the same ones, at more length.
pub(super) const VARIABLES: &[(&str, &str)] = &[
    ("LAGO_FROM", "start from this stage's saved state; `start`: from nothing"),
    ("LAGO_REPEAT", "run each selected scenario so often, from one state"),
    ("LAGO_TOLERATE_UNSTABLE", "`1`: pass with failures that are marked as `unstable`"),
    ("LAGO_JUNITXML_FILE", "as --junitxml-file, which wins over it"),
    ("LAGO_JOBS", "as --test-threads, which wins over it"),
    ("LAGO_KEEP", "what stays after the run: `never`, `always`, `failure`"),
    ("LAGO_NEXTEST", "`scenario`: each is a test to cargo nextest, not the suite"),
    ("LAGO_EVIDENCE", "`never`: collect nothing after a failure"),
    ("LAGO_CAPSULE", "`on-failure`: pack the environment of a scenario that fails"),
    ("LAGO_ON_FAILURE", "`shell`: open a shell in the environment of one that fails"),
    ("LAGO_CACHE", "`off`: boot, and do not start from the cache"),
    ("LAGO_TEST_LAUNCHER", "a command through which workers are started"),
    ("LAGO_LOG", "what the library logs, as tracing filters have it"),
    ("RUST_TEST_THREADS", "as LAGO_JOBS, which wins over it"),
    ("RUST_TEST_NOCAPTURE", "as --no-capture, unless it is 0"),
    ("RUST_BACKTRACE", "a panic's report has its backtrace"),
];

/// What the process exits with.
pub(super) const EXIT_CODES: &[(&str, &str)] = &[
    ("0", "nothing failed"),
    ("101", "a scenario failed"),
    ("2", "the command line or the suite itself is wrong"),
    ("3", "the environment failed, or the harness could not write its files"),
    ("130, 143, 129", "ended by SIGINT, SIGTERM, SIGHUP"),
];

/// What comes after the options.
pub(super) fn after() -> String {
    let mut text = String::new();
    section(&mut text, "Environment variables", VARIABLES);
    section(&mut text, "Exit codes", EXIT_CODES);
    text.push_str(
        "Refused, each with the reason: --shuffle, --shuffle-seed, --ensure-time, --force-run-in-process.",
    );
    text
}

fn section(text: &mut String, heading: &str, rows: &[(&str, &str)]) {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let _ = writeln!(text, "{heading}:");
    for (name, meaning) in rows {
        let _ = writeln!(text, "  {name:width$}  {meaning}");
    }
    text.push('\n');
}
