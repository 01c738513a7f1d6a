//! Every limit of the harness that a suite does not set itself, each with its reason.

use std::time::Duration;

/// A scenario's limit when neither it, nor its stage, nor its suite says otherwise: as long as the longest of the
/// waits that [`assert_true_within_long`](crate::assert_true_within_long) makes.
pub const SCENARIO: Duration = Duration::from_secs(10 * 60);

/// Bringing the environment up. Templates may have to be fetched, and an emulated guest boots for minutes.
pub const BRING_UP: Duration = Duration::from_secs(30 * 60);

/// Taking the environment down. Nothing is waited for in a guest, but maybe for another process that changes the same
/// prefix: long enough that the prefix's own limit for that passes first, and its error says who has the lock.
pub const TEAR_DOWN: Duration = lago::prefix::LOCK_LIMIT.saturating_add(Duration::from_secs(60));

/// Saving a state, putting one back, or making a fork of one. Each takes seconds; a machine with a slow disk and guests
/// with much memory takes minutes.
pub const STATE: Duration = Duration::from_secs(10 * 60);

/// Collecting evidence after a failure. lago's own limit, which says what it did not come to, passes first.
pub const EVIDENCE: Duration = lago::collect::COLLECT_LIMIT.saturating_add(Duration::from_secs(30));

/// Packing the environment of a scenario that has failed: some hundred megabytes for each VM.
pub const CAPSULE: Duration = Duration::from_secs(10 * 60);

/// From starting a worker process until it says that it is ready: loading a large test binary on a busy machine.
pub const WORKER_START: Duration = Duration::from_secs(60);

/// From asking a worker to leave until it has. It has nothing left to do then.
pub const WORKER_QUIT: Duration = Duration::from_secs(5);

/// From `SIGKILL` until a worker is gone. Only a process that the kernel holds in a disk wait takes longer.
pub const WORKER_KILL: Duration = Duration::from_secs(10);

/// Waiting for another run of the same suite, which uses the same prefix.
pub const OTHER_RUN: Duration = Duration::from_secs(60 * 60);

/// Waiting for another suite that writes the JUnit file of all suites: milliseconds, unless that suite is stopped.
pub const MERGE: Duration = Duration::from_secs(10);

/// `assert_*_within_short`.
pub const SHORT: Duration = Duration::from_secs(3 * 60);

/// `assert_*_within_long`.
pub const LONG: Duration = Duration::from_secs(10 * 60);
