use std::thread;
use std::time::{Duration, Instant};

/// After this a single step of a test counts as hung. The longest is a suite that boots a small VM several times, which takes
/// half a minute alone on two processors; a slower machine with other work may need several times that.
pub const DEFAULT_LIMIT: Duration = Duration::from_secs(300);

/// Waits until a condition holds.
///
/// # Panics
/// When it does not hold within the limit.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEFAULT_LIMIT, "waited {DEFAULT_LIMIT:?} for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
