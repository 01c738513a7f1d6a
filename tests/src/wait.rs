use std::thread;
use std::time::{Duration, Instant};

/// What any single step of a test may take: several boots of a small VM on a busy machine.
pub const DEFAULT_LIMIT: Duration = Duration::from_secs(90);

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
