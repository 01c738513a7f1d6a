//! How often something is tried again.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

use super::error::TransferError;
use super::options::TransferOptions;

/// What is left of the tries for one thing.
pub(super) struct Patience {
    options: TransferOptions,
    pauses: ExponentialBackoff,
    attempts: u32,
}

impl Patience {
    pub(super) fn new(options: &TransferOptions) -> Self {
        let pauses = pauses(options, options.attempts.saturating_sub(1));
        Self { options: options.clone(), pauses, attempts: 0 }
    }

    /// How long to wait before the next try after one that failed with `error`.
    ///
    /// # Errors
    /// The error, when trying again is of no use, or has been often enough.
    pub(super) fn after(
        &mut self,
        error: TransferError,
        progress: bool,
    ) -> Result<Duration, TransferError> {
        self.attempts += 1;
        if !error.is_worth_retrying() {
            return Err(error);
        }
        if progress {
            self.pauses = pauses(&self.options, self.options.attempts);
        }
        let next = self.pauses.next().filter(|_| self.attempts < self.options.total_attempts);
        let Some(pause) = next else {
            let attempts = self.attempts;
            return Err(TransferError::GaveUp {
                last: Box::new(error),
                attempts,
                received: 0,
                total: None,
            });
        };
        let pause = error.retry_after().unwrap_or(pause).max(pause).min(self.options.longest_pause);
        tracing::warn!("{error}; trying again in {:.1} s", pause.as_secs_f64());
        Ok(pause)
    }
}

/// So many pauses before tries that bring nothing. They vary, so that those who failed together do not come back together.
fn pauses(options: &TransferOptions, count: u32) -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(options.first_pause)
        .with_max_delay(options.longest_pause)
        .with_max_times(count as usize)
        .with_jitter()
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> TransferOptions {
        TransferOptions {
            attempts: 3,
            total_attempts: 5,
            first_pause: Duration::from_millis(10),
            longest_pause: Duration::from_secs(2),
            ..TransferOptions::default()
        }
    }

    fn broken() -> TransferError {
        TransferError::Network { url: "http://x/".into(), reason: "connection reset".into() }
    }

    fn status(code: u16, retry_after: Option<u64>) -> TransferError {
        TransferError::Status {
            url: "http://x/".into(),
            status: code.try_into().unwrap(),
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    #[test]
    fn tries_that_bring_nothing_are_few() {
        let mut patience = Patience::new(&options());
        patience.after(broken(), false).unwrap();
        patience.after(broken(), false).unwrap();
        let error = patience.after(broken(), false).unwrap_err().to_string();
        assert_eq!(error, "cannot fetch http://x/: connection reset. Gave up after 3 tries");
    }

    #[test]
    fn after_one_that_brings_something_they_are_as_few_again() {
        let mut patience = Patience::new(&options());
        patience.after(broken(), false).unwrap();
        patience.after(broken(), true).unwrap();
        patience.after(broken(), false).unwrap();
        patience.after(broken(), false).unwrap();
        patience.after(broken(), false).unwrap_err();
    }

    #[test]
    fn tries_that_bring_something_are_many_but_not_endless() {
        let mut patience = Patience::new(&options());
        for _ in 0..4 {
            patience.after(broken(), true).unwrap();
        }
        assert!(patience.after(broken(), true).is_err());
    }

    #[test]
    fn what_will_not_change_is_not_tried_again() {
        for error in [status(404, None), status(403, None), status(501, None)] {
            let text = error.to_string();
            assert_eq!(
                Patience::new(&options()).after(error, false).unwrap_err().to_string(),
                text
            );
        }
        for code in [408, 429, 500, 502, 503, 504] {
            Patience::new(&options()).after(status(code, None), false).unwrap();
        }
    }

    #[test]
    fn a_server_that_asks_for_a_pause_gets_it_within_the_limit() {
        let pause =
            |seconds| Patience::new(&options()).after(status(503, Some(seconds)), false).unwrap();
        assert_eq!(pause(1), Duration::from_secs(1));
        assert_eq!(pause(3600), Duration::from_secs(2));
    }
}
