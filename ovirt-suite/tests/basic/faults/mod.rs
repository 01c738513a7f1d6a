//! What goes away, and how it is told: by a typed error, within its limit, and with evidence. Each scenario leaves the
//! environment as it found it.

pub(crate) mod engine;
pub(crate) mod evidence;
pub(crate) mod hosts;
pub(crate) mod storage;

use std::time::Duration;

use lago_test::{Failure, TestResult, ensure};
use ovirt_suite::api::ApiError;

/// Some looks, and no more.
const BRIEF: Duration = Duration::from_secs(3);

/// The engine has refused, with this status and these words of its own.
fn assert_refused<T>(answer: Result<T, ApiError>, status: u16, words: &str) -> TestResult {
    match answer {
        Ok(_) => Err(Failure::new(format!("the engine does not refuse with: {words}"))),
        Err(ApiError::Fault { status: found, reason, detail, .. }) => {
            let is_it = found == status && reason == "Operation Failed" && detail.contains(words);
            ensure!(is_it, "it refuses with {found}: {reason}: {detail}, not {status}: {words}");
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}
