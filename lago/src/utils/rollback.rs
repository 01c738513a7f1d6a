//! Undoing what was done before a later step failed.

use std::any::Any;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{BoxError, Failures, error_chain};

/// An undo step that failed itself.
#[derive(Debug, thiserror::Error)]
#[error("could not undo: {step}")]
pub struct UndoError {
    /// What the step was to do.
    pub step: String,
    /// Why it could not.
    #[source]
    pub source: BoxError,
}

type Step<'a> = (String, Box<dyn FnOnce() -> Result<(), BoxError> + Send + 'a>);

/// Steps that undo what was done so far, run in reverse unless [`clear`](Self::clear)ed.
///
/// Every step runs, whether or not those before it failed or panicked. Prefer [`with_rollback`], which hands the errors
/// of undo steps to the caller; a context that is merely dropped can only log them.
///
/// ```
/// # use lago::utils::{RollbackContext, with_rollback};
/// # let dir = tempfile::tempdir().unwrap();
/// # let path = dir.path().join("network");
/// let result = with_rollback(|rollback| {
///     std::fs::write(&path, "up")?;
///     rollback.defer("remove the network", || std::fs::remove_file(&path));
///     Err::<(), _>(std::io::Error::other("no domain could be started"))
/// });
/// assert!(result.is_err() && !path.exists());
/// ```
#[derive(Default)]
pub struct RollbackContext<'a> {
    steps: Vec<Step<'a>>,
}

impl<'a> RollbackContext<'a> {
    /// A context with nothing to undo.
    pub fn new() -> Self {
        Self::default()
    }

    /// Remembers how to undo what was just done, before all that is remembered so far. `what` says it for error messages: "remove the network `lan`".
    #[doc(alias = "prependDefer")]
    pub fn defer<E: Into<BoxError>>(
        &mut self,
        what: impl Into<String>,
        undo: impl FnOnce() -> Result<(), E> + Send + 'a,
    ) {
        self.steps.push((what.into(), Box::new(|| undo().map_err(Into::into))));
    }

    /// Forgets all steps: what was done stays.
    pub fn clear(&mut self) {
        self.steps.clear();
    }

    /// Undoes everything now, the newest step first, and returns what failed.
    pub fn undo(mut self) -> Vec<UndoError> {
        self.run_steps()
    }

    /// Undoes everything because of `error`, which leads the failures.
    pub fn fail<E: Error + 'static>(self, error: E) -> Failures<E> {
        let others = self.undo().into_iter().map(BoxError::from).collect();
        Failures { first: error, others }
    }

    fn run_steps(&mut self) -> Vec<UndoError> {
        let mut failed = Vec::new();
        while let Some((step, undo)) = self.steps.pop() {
            tracing::debug!(step, "undoing");
            // A panic that left here would hide the error that the rollback is for, or abort the process.
            let result = catch_unwind(AssertUnwindSafe(undo))
                .unwrap_or_else(|payload| Err(panic_text(payload.as_ref()).into()));
            if let Err(source) = result {
                failed.push(UndoError { step, source });
            }
        }
        failed
    }
}

impl Drop for RollbackContext<'_> {
    fn drop(&mut self) {
        for error in self.run_steps() {
            tracing::error!("{}", error_chain(&error));
        }
    }
}

/// Runs `work` and keeps what it did, or undoes it when it fails or panics.
///
/// # Errors
/// The error of `work` first, then those of its undo steps.
pub fn with_rollback<'a, T, E: Error + 'static>(
    work: impl FnOnce(&mut RollbackContext<'a>) -> Result<T, E>,
) -> Result<T, Failures<E>> {
    let mut rollback = RollbackContext::new();
    match work(&mut rollback) {
        Ok(value) => {
            rollback.clear();
            Ok(value)
        }
        Err(error) => Err(rollback.fail(error)),
    }
}

fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    format!("it panicked: {text}")
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use super::*;

    fn note(log: &Mutex<Vec<u8>>, step: u8) -> impl FnOnce() -> io::Result<()> + Send {
        move || {
            log.lock().unwrap().push(step);
            if step == 2 { Err(io::Error::other("busy")) } else { Ok(()) }
        }
    }

    fn three_steps<'a>(rollback: &mut RollbackContext<'a>, log: &'a Mutex<Vec<u8>>) {
        for step in 1..=3 {
            rollback.defer(format!("step {step}"), note(log, step));
        }
    }

    #[test]
    fn a_failure_undoes_in_reverse_and_leads() {
        let log = Mutex::new(Vec::new());
        let failures = with_rollback(|rollback| {
            three_steps(rollback, &log);
            Err::<(), _>(io::Error::other("no memory"))
        })
        .unwrap_err();
        assert_eq!(*log.lock().unwrap(), [3, 2, 1]);
        assert_eq!(
            failures.to_string(),
            "no memory\nand 1 more failure:\n- could not undo: step 2: busy"
        );
    }

    #[test]
    fn success_undoes_nothing() {
        let log = Mutex::new(Vec::new());
        let value = with_rollback(|rollback| {
            three_steps(rollback, &log);
            Ok::<_, io::Error>(7)
        });
        assert_eq!(value.unwrap(), 7);
        assert!(log.lock().unwrap().is_empty());
    }

    #[test]
    fn a_panic_undoes_and_a_panicking_step_does_not_stop_the_others() {
        let log = Mutex::new(Vec::new());
        let caught = catch_unwind(AssertUnwindSafe(|| {
            with_rollback(|rollback| -> io::Result<()> {
                rollback.defer("first", note(&log, 1));
                rollback.defer("broken", || -> io::Result<()> { panic!("the undo is broken") });
                panic!("the work is broken")
            })
        }));
        assert_eq!(*log.lock().unwrap(), [1]);
        assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"the work is broken"));
    }

    #[test]
    fn a_panicking_step_is_an_error_of_its_own() {
        let mut rollback = RollbackContext::new();
        rollback.defer("close it", || -> io::Result<()> { panic!("stuck") });
        let failures = rollback.fail(io::Error::other("original"));
        assert_eq!(
            failures.to_string(),
            "original\nand 1 more failure:\n- could not undo: close it: it panicked: stuck"
        );
    }
}
