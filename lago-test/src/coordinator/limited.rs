//! Work that blocks, under a limit: it runs on a thread of its own, which can be given up.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use lago::utils::Deadline;

use super::interrupts::{self, Interrupts};
use super::run::millis;
use crate::duration::spoken;
use crate::result::Failure;

/// How often a wait looks for a signal.
const PAUSE: Duration = Duration::from_millis(100);

/// How long work may go on after it was cut off: its error is worth a short wait.
const GRACE: Duration = Duration::from_secs(5);

/// Some work, and what bounds it.
pub(super) struct Limited<'a, C> {
    /// What it does, as the object of a sentence: `bringing the environment up`.
    pub(super) what: &'a str,
    pub(super) limit: Duration,
    /// Signals that end it early, if any do.
    pub(super) interrupts: Option<&'a Interrupts>,
    /// Makes the work end soon.
    pub(super) cut_off: C,
}

impl<C: FnOnce() -> Result<(), Failure>> Limited<'_, C> {
    /// Does the work, or gives it up.
    pub(super) fn run<T: Send + 'static>(
        self,
        work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        if let Some(interrupted) = self.interrupted() {
            return Err(Failure::infrastructure(interrupted));
        }
        let (sender, receiver) = mpsc::channel();
        let limit_ms = millis(self.limit);
        let span = tracing::info_span!("limited", what = self.what, limit_ms);
        thread::spawn(move || {
            let done = span.in_scope(work);
            drop(span);
            // Nobody listens any more when the work was given up.
            let _ = sender.send(done);
        });
        let deadline = Deadline::new(self.what, self.limit);
        let reason = loop {
            let left = deadline.remaining();
            match receiver.recv_timeout(left.min(PAUSE)) {
                Ok(done) => return done,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Failure::infrastructure(format!("{} panicked", self.what)));
                }
                Err(RecvTimeoutError::Timeout) if left.is_zero() => {
                    break format!("{} took longer than {}", self.what, spoken(self.limit));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Some(interrupted) = self.interrupted() {
                break interrupted;
            }
        };
        let cut_off = (self.cut_off)().err().map(|failure| failure.without_location().to_string());
        let ended = match receiver.recv_timeout(GRACE) {
            Ok(Err(failure)) => Some(failure.without_location().to_string()),
            Ok(Ok(_)) | Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                Some(format!("it still goes on {} after it was cut off", spoken(GRACE)))
            }
        };
        Err(Failure::infrastructure(reason).caused_by(ended.into_iter().chain(cut_off)))
    }
}

impl<C> Limited<'_, C> {
    /// That a signal ends the work, if one does.
    fn interrupted(&self) -> Option<String> {
        let signal = self.interrupts.and_then(Interrupts::signal)?;
        Some(format!("{} was interrupted by {}", self.what, interrupts::name(signal)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(limit: Duration) -> Limited<'static, impl FnOnce() -> Result<(), Failure>> {
        Limited { what: "waiting", limit, interrupts: None, cut_off: || Ok(()) }
    }

    #[test]
    fn what_ends_in_time_is_handed_back() {
        assert_eq!(limited(GRACE).run(|| Ok(7)), Ok(7));
        assert_eq!(limited(Duration::MAX).run(|| Ok(8)), Ok(8));
        assert_eq!(
            limited(GRACE).run(|| Err::<(), _>(Failure::new("no"))).unwrap_err().message(),
            "no"
        );
    }

    #[test]
    fn what_takes_too_long_is_cut_off_and_its_own_error_kept() {
        let (cut, was_cut) = mpsc::channel::<()>();
        let limited = Limited {
            what: "waiting",
            limit: Duration::from_millis(50),
            interrupts: None,
            cut_off: move || {
                drop(cut);
                Ok(())
            },
        };
        let failure = limited
            .run(move || -> Result<(), Failure> {
                was_cut.recv().map_err(|_| Failure::new("the guest is gone"))
            })
            .unwrap_err();
        assert_eq!(failure.message(), "waiting took longer than 0.1 s");
        assert!(failure.causes()[0].starts_with("the guest is gone"), "{failure}");
    }

    #[test]
    fn a_panic_is_a_failure() {
        let failure = limited(GRACE).run(|| -> Result<(), Failure> { panic!("on purpose") });
        assert_eq!(failure.unwrap_err().message(), "waiting panicked");
    }
}
