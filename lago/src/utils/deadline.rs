//! Limits on waits.

use std::thread;
use std::time::{Duration, Instant};

/// A wait that passed its limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("gave up waiting for {what} after {limit:?}{}", last.as_ref().map(|l| format!(": {l}")).unwrap_or_default())]
pub struct TimedOut {
    /// What was waited for.
    pub what: String,
    /// How long.
    pub limit: Duration,
    /// Why it was not there at the last try.
    pub last: Option<String>,
}

/// A limit on a wait, and what the wait is for.
#[doc(alias = "EggTimer")]
#[derive(Debug, Clone)]
pub struct Deadline {
    what: String,
    start: Instant,
    limit: Duration,
}

impl Deadline {
    /// A limit that runs from now on. `what` completes "gave up waiting for ...".
    pub fn new(what: impl Into<String>, limit: Duration) -> Self {
        Self { what: what.into(), start: Instant::now(), limit }
    }

    /// What is waited for.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// The whole limit.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// How long the wait has lasted.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// What is left of the limit; zero when it has passed.
    pub fn remaining(&self) -> Duration {
        self.limit.saturating_sub(self.elapsed())
    }

    /// Whether the limit has passed.
    pub fn passed(&self) -> bool {
        self.remaining().is_zero()
    }

    /// Fails once the limit has passed.
    pub fn check(&self) -> Result<(), TimedOut> {
        if self.passed() { Err(self.timed_out(None)) } else { Ok(()) }
    }

    /// The error of this wait. `last` is why the thing was not there at the last try.
    pub fn timed_out(&self, last: Option<String>) -> TimedOut {
        TimedOut { what: self.what.clone(), limit: self.limit, last }
    }
}

/// What one try of [`wait_until`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe<T> {
    /// It is there.
    Done(T),
    /// It is not there yet; the reason is part of the error when the limit passes.
    NotYet(String),
}

/// Calls `probe` every `interval` until it is done, fails, or `limit` has passed. It is called once at least, and once
/// more when the limit has passed, so that a slow machine does not give up without having looked.
///
/// # Errors
/// The error of `probe`, at once; or [`TimedOut`] with the last reason.
pub fn wait_until<T, E: From<TimedOut>>(
    what: impl Into<String>,
    limit: Duration,
    interval: Duration,
    mut probe: impl FnMut() -> Result<Probe<T>, E>,
) -> Result<T, E> {
    let deadline = Deadline::new(what, limit);
    loop {
        let last_try = deadline.passed();
        match probe()? {
            Probe::Done(value) => return Ok(value),
            Probe::NotYet(reason) if last_try => {
                return Err(deadline.timed_out(Some(reason)).into());
            }
            Probe::NotYet(_) => thread::sleep(interval.min(deadline.remaining())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(30);
    const TICK: Duration = Duration::from_millis(1);

    #[test]
    fn a_deadline_passes_and_says_what_it_was_for() {
        let deadline = Deadline::new("the network `lan`", SHORT);
        deadline.check().unwrap();
        thread::sleep(SHORT);
        assert!(deadline.remaining().is_zero());
        let text = deadline.check().unwrap_err().to_string();
        assert_eq!(text, "gave up waiting for the network `lan` after 30ms");
    }

    #[test]
    fn waiting_ends_with_the_value() {
        let mut tries = 0;
        let value = wait_until("three", Duration::from_secs(60), TICK, || {
            tries += 1;
            Ok::<_, TimedOut>(if tries < 3 {
                Probe::NotYet("not yet".into())
            } else {
                Probe::Done(tries)
            })
        });
        assert_eq!(value, Ok(3));
    }

    #[test]
    fn waiting_ends_with_the_limit_and_the_last_reason() {
        let mut tries = 0;
        let error = wait_until("the moon", SHORT, TICK, || {
            tries += 1;
            Ok::<Probe<()>, TimedOut>(Probe::NotYet(format!("try {tries}")))
        })
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("gave up waiting for the moon after 30ms: try {tries}")
        );
        assert!(tries >= 2);
    }

    #[test]
    fn waiting_ends_with_the_first_error() {
        let other = TimedOut { what: "inner".into(), limit: TICK, last: None };
        let result =
            wait_until("x", Duration::from_secs(60), TICK, || Err::<Probe<()>, _>(other.clone()));
        assert_eq!(result, Err(other));
    }

    #[test]
    fn a_limit_of_zero_still_looks_once() {
        let value = wait_until("it", Duration::ZERO, TICK, || Ok::<_, TimedOut>(Probe::Done(1)));
        assert_eq!(value, Ok(1));
    }
}
