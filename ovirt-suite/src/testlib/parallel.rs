//! Steps of a scenario that are done at the same time.

use std::fmt;

use lago::utils::{BoxError, parallel};
use lago_test::{Failure, FailureKind, TestResult};

/// A step that did not go well.
#[derive(Debug)]
struct Failed {
    name: String,
    failure: Box<Failure>,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.failure.message())?;
        for cause in self.failure.causes() {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failed {}

/// Does all steps at the same time, and waits for all of them. When some fail, the failure names each of them; it is a skip
/// when all that did not go well were skips.
///
/// ```
/// use lago_test::{TestResult, fail};
/// use ovirt_suite::testlib::in_parallel;
///
/// let steps: [(&str, fn() -> TestResult); 2] = [("one", || Ok(())), ("two", || fail!("too late"))];
/// assert_eq!(in_parallel(steps).unwrap_err().message(), "two: too late");
/// ```
pub fn in_parallel<N, S>(steps: impl IntoIterator<Item = (N, S)>) -> TestResult
where
    N: Into<String> + Send,
    S: FnOnce() -> TestResult + Send,
{
    let done = parallel(steps, |(name, step)| {
        step().map_err(|failure| Failed { name: name.into(), failure: Box::new(failure) })
    });
    let Err(failures) = done else { return Ok(()) };
    let kinds: Vec<FailureKind> = std::iter::once(failures.first.failure.kind())
        .chain(failures.others.iter().filter_map(kind))
        .collect();
    let text = failures.to_string();
    Err(if kinds.iter().all(|kind| *kind == FailureKind::Skipped) {
        Failure::skipped(text)
    } else if kinds.contains(&FailureKind::Failed) {
        Failure::new(text)
    } else {
        Failure::infrastructure(text)
    })
}

fn kind(error: &BoxError) -> Option<FailureKind> {
    error.downcast_ref::<Failed>().map(|failed| failed.failure.kind())
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    type Step = Box<dyn FnOnce() -> TestResult + Send>;

    fn step(failure: Option<Failure>) -> Step {
        Box::new(move || failure.map_or(Ok(()), Err))
    }

    #[test]
    fn steps_are_done_at_the_same_time() {
        let all_here = Barrier::new(4);
        let wait = || {
            all_here.wait();
            Ok(())
        };
        in_parallel((0..4).map(|n| (n.to_string(), wait))).unwrap();
    }

    #[test]
    fn every_failure_is_named() {
        let steps = [
            ("nfs", step(Some(Failure::new("no export").context("cannot mount")))),
            ("iso", step(None)),
            ("iscsi", step(Some(Failure::infrastructure("no target")))),
        ];
        let failure = in_parallel(steps).unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Failed);
        assert_eq!(
            failure.message(),
            "nfs: cannot mount: no export\nand 1 more failure:\n- iscsi: no target"
        );
    }

    #[test]
    fn skips_alone_are_a_skip() {
        let steps = [("a", step(Some(Failure::skipped("no glance")))), ("b", step(None))];
        assert_eq!(in_parallel(steps).unwrap_err().kind(), FailureKind::Skipped);
    }
}
