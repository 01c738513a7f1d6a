//! Every limit of the harness that a suite does not set itself, each with its reason.
//!
//! Where lago has limits of its own for the same work, they pass first, so that the error is the one that knows which VM,
//! process or file it was:
//!
//! | here | what it holds for | lago's own |
//! |---|---|---|
//! | [`BRING_UP`] | [`Prefix::init`](lago::Prefix::init) and `start` | [`START_LIMIT`](lago::prefix::START_LIMIT) for the guests |
//! | [`TEAR_DOWN`] | `stop`, `destroy`, `remove_disks` | [`LOCK_LIMIT`](lago::prefix::LOCK_LIMIT), then two minutes for the private host |
//! | [`STATE`] and more with much memory | `snapshot`, `revert`, `fork` | `LOCK_LIMIT`, then [`state_limit`](lago::virt::state_limit) of the VM with the most memory |
//! | [`CAPSULE`] and as much more | `save_capsule` | the same, before anything is packed |
//! | [`EVIDENCE`] | `collect` | [`COLLECT_LIMIT`](lago::collect::COLLECT_LIMIT) |

use std::time::Duration;

/// A scenario's limit when neither it, nor its stage, nor its suite says otherwise: as long as the longest of the
/// waits that [`assert_true_within_long`](crate::assert_true_within_long) makes.
pub const SCENARIO: Duration = Duration::from_secs(10 * 60);

/// Bringing the environment up. Templates may have to be fetched, and an emulated guest boots for minutes.
pub const BRING_UP: Duration = Duration::from_secs(30 * 60);

/// Taking the environment down. Nothing is waited for in a guest, but maybe for another process that changes the same
/// prefix: long enough that the prefix's own limit for that passes first, and its error says who has the lock, and then
/// the private host's limits, of two minutes together.
pub const TEAR_DOWN: Duration =
    lago::prefix::LOCK_LIMIT.saturating_add(Duration::from_secs(3 * 60));

/// Saving a state, putting one back, or making a fork of one. Each takes seconds; a machine with a slow disk takes
/// minutes. Where a VM has more than a gigabyte of memory it is longer.
pub const STATE: Duration = Duration::from_secs(10 * 60);

/// [`STATE`] of an environment in which a VM may take so long for its own.
pub(crate) fn state(slowest_vm: Duration) -> Duration {
    STATE.max(lago::prefix::LOCK_LIMIT.saturating_add(slowest_vm).saturating_add(STATE_MARGIN))
}

/// What is done with a state besides: forks and layers are made, domains ended, clocks set.
const STATE_MARGIN: Duration = Duration::from_secs(3 * 60);

/// [`CAPSULE`] of such an environment.
pub(crate) fn capsule(slowest_vm: Duration) -> Duration {
    CAPSULE.saturating_add(state(slowest_vm).saturating_sub(STATE))
}

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

/// Waiting for another suite that writes the JUnit file of all suites: milliseconds, unless that suite is stopped. What
/// passes it is a warning, as the file is not this run's own.
pub const MERGE: Duration = Duration::from_secs(10);

/// `assert_*_within_short`.
pub const SHORT: Duration = Duration::from_secs(3 * 60);

/// `assert_*_within_long`.
pub const LONG: Duration = Duration::from_secs(10 * 60);

#[cfg(test)]
mod tests {
    use lago::virt::state_limit;

    use super::*;

    #[test]
    fn limits_of_lago_pass_first() {
        // Waiting for another process that starts or stops it, then for its end.
        let host = Duration::from_secs(120);
        let lock = lago::prefix::LOCK_LIMIT;
        let mut pairs = vec![
            ("bring-up", BRING_UP, lago::prefix::START_LIMIT + lock + host),
            ("tear-down", TEAR_DOWN, lock + host),
            ("evidence", EVIDENCE, lago::collect::COLLECT_LIMIT),
        ];
        for mib in [128, 2 << 10, 5 << 10, 16 << 10, 256 << 10] {
            let vm = state_limit(mib);
            pairs.push(("a state", state(vm), lock + vm));
            pairs.push(("a capsule", capsule(vm), lock + vm));
        }
        for (what, ours, of_lago) in pairs {
            assert!(ours > of_lago, "{what}: {ours:?} is not more than {of_lago:?}");
        }
        assert_eq!(
            state(state_limit(1 << 10)),
            STATE,
            "small VMs have the limit that is documented"
        );
        assert_eq!(capsule(state_limit(128)), CAPSULE);
    }
}
