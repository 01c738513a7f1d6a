//! Assertions that may take a while to hold: tried again and again, with a pause between tries, until a limit.

use std::fmt::Debug;
use std::time::Duration;

use lago::utils::Deadline;

use crate::duration::spoken;
use crate::limits;
use crate::result::{Failure, FailureKind, TestResult};

/// The pause after the first try. It doubles with every try: what is quick is noticed soon, and what is slow is not
/// kept busy answering.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// Waits until `condition` is true.
///
/// An error is tried again like `false`, except a skip or an infrastructure failure, which ends the wait at once. When
/// the limit passes, the failure says what the last try gave. At least one try is made.
///
/// ```
/// # use lago_test::{assert_true_within, seconds, TestResult};
/// # use std::cell::Cell;
/// # fn scenario() -> TestResult {
/// # let tries = Cell::new(0);
/// assert_true_within(seconds(5), || {
///     tries.set(tries.get() + 1);
///     Ok(tries.get() == 2)
/// })?;
/// # Ok(()) }
/// # scenario().unwrap();
/// ```
#[track_caller]
pub fn assert_true_within(
    limit: Duration,
    condition: impl FnMut() -> Result<bool, Failure>,
) -> TestResult {
    let last = match until(limit, condition, |value| *value) {
        Ok(()) => return Ok(()),
        Err(last) => last,
    };
    Err(last.into_failure(Failure::new(format!("not true within {}", spoken(limit)))))
}

/// [`assert_true_within`] three minutes.
#[track_caller]
pub fn assert_true_within_short(condition: impl FnMut() -> Result<bool, Failure>) -> TestResult {
    assert_true_within(limits::SHORT, condition)
}

/// [`assert_true_within`] ten minutes.
#[track_caller]
pub fn assert_true_within_long(condition: impl FnMut() -> Result<bool, Failure>) -> TestResult {
    assert_true_within(limits::LONG, condition)
}

/// Waits until `value` gives `expected`, as [`assert_true_within`] waits.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "what is expected is usually written in place")]
pub fn assert_equals_within<T: PartialEq + Debug>(
    limit: Duration,
    expected: T,
    value: impl FnMut() -> Result<T, Failure>,
) -> TestResult {
    let last = match until(limit, value, |value| *value == expected) {
        Ok(()) => return Ok(()),
        Err(last) => last,
    };
    let failure = Failure::new(format!("did not become {expected:?} within {}", spoken(limit)));
    Err(last.into_failure(failure))
}

/// [`assert_equals_within`] three minutes.
#[track_caller]
pub fn assert_equals_within_short<T: PartialEq + Debug>(
    expected: T,
    value: impl FnMut() -> Result<T, Failure>,
) -> TestResult {
    assert_equals_within(limits::SHORT, expected, value)
}

/// [`assert_equals_within`] ten minutes.
#[track_caller]
pub fn assert_equals_within_long<T: PartialEq + Debug>(
    expected: T,
    value: impl FnMut() -> Result<T, Failure>,
) -> TestResult {
    assert_equals_within(limits::LONG, expected, value)
}

/// What the last try gave, when no try gave what was wanted.
enum Last<T> {
    Value(T),
    Error(Failure),
    /// A failure that another try cannot mend.
    Final(Failure),
}

impl<T: Debug> Last<T> {
    fn into_failure(self, timed_out: Failure) -> Failure {
        match self {
            Self::Value(value) => timed_out.caused_by([format!("the last value was {value:?}")]),
            Self::Error(error) => timed_out.caused_by(
                std::iter::once(format!("the last error was: {}", error.message()))
                    .chain(error.causes().iter().cloned()),
            ),
            Self::Final(failure) => failure,
        }
    }
}

fn until<T>(
    limit: Duration,
    mut attempt: impl FnMut() -> Result<T, Failure>,
    wanted: impl Fn(&T) -> bool,
) -> Result<(), Last<T>> {
    let deadline = Deadline::new("an assertion", limit);
    let mut pause = FIRST_PAUSE;
    loop {
        let last = match attempt() {
            Ok(value) if wanted(&value) => return Ok(()),
            Ok(value) => Last::Value(value),
            Err(failure) if failure.kind() == FailureKind::Failed => Last::Error(failure),
            Err(failure) => return Err(Last::Final(failure)),
        };
        let left = deadline.remaining();
        if left.is_zero() {
            return Err(last);
        }
        std::thread::sleep(pause.min(left));
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const BRIEF: Duration = Duration::from_millis(200);

    #[test]
    fn a_limit_beyond_all_clocks_is_none() {
        assert_true_within(Duration::MAX, || Ok(true)).unwrap();
    }

    #[test]
    fn holds_at_a_later_try() {
        let mut tries = 0;
        assert_equals_within(Duration::from_secs(20), 3, || {
            tries += 1;
            Ok(tries)
        })
        .unwrap();
        assert_eq!(tries, 3);
    }

    #[test]
    fn a_timeout_reports_the_last_value() {
        let mut value = 0;
        let failure = assert_equals_within(BRIEF, 0, || {
            value += 1;
            Ok(value)
        })
        .unwrap_err();
        assert_eq!(failure.message(), "did not become 0 within 0.2 s");
        assert_eq!(failure.causes(), [format!("the last value was {value}")]);
        assert!(value > 1, "it tried once only");
    }

    #[test]
    fn a_timeout_reports_the_last_error_with_its_causes_and_the_callers_place() {
        let failure = assert_true_within(BRIEF, || Err(Failure::new("refused").context("no page")))
            .unwrap_err();
        assert_eq!(failure.message(), "not true within 0.2 s");
        assert_eq!(failure.causes(), ["the last error was: no page", "refused"]);
        assert!(failure.location().unwrap().contains("assertions.rs"));
    }

    #[test]
    fn a_skip_ends_the_wait_at_once() {
        let started = Instant::now();
        let failure = assert_true_within_long(skip_now).unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Skipped);
        assert!(started.elapsed() < limits::SHORT);
    }

    fn skip_now() -> Result<bool, Failure> {
        crate::skip!("not here")
    }

    #[test]
    fn a_limit_of_nothing_still_tries_once() {
        assert_true_within(Duration::ZERO, || Ok(true)).unwrap();
    }
}
