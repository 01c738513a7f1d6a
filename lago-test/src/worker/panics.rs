//! A panic in a scenario is a failure with a message, a place, and a backtrace when `RUST_BACKTRACE` asks for one.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};

use crate::result::{Failure, TestResult};

thread_local! {
    static LAST: RefCell<Option<Seen>> = const { RefCell::new(None) };
}

/// What the hook knows and the unwinding does not carry.
struct Seen {
    location: Option<String>,
    backtrace: Option<String>,
}

/// Notes every panic of a thread before the hook that was there prints it.
pub(super) fn install_hook() {
    let printing = take_hook();
    set_hook(Box::new(move |info| {
        LAST.set(Some(Seen::new(info)));
        printing(info);
    }));
}

impl Seen {
    fn new(info: &PanicHookInfo<'_>) -> Self {
        let backtrace = Backtrace::capture();
        Self {
            location: info.location().map(ToString::to_string),
            backtrace: (backtrace.status() == BacktraceStatus::Captured)
                .then(|| backtrace.to_string()),
        }
    }
}

/// Runs a scenario; a panic in its thread becomes a failure.
pub(super) fn caught(scenario: impl FnOnce() -> TestResult) -> TestResult {
    // A scenario shares nothing with the next one but the environment, which no unwinding can break.
    catch_unwind(AssertUnwindSafe(scenario)).unwrap_or_else(|payload| {
        let seen = LAST.take();
        let (location, backtrace) =
            seen.map_or((None, None), |seen| (seen.location, seen.backtrace));
        Err(Failure::panicked(message(&*payload), location, backtrace))
    })
}

fn message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("with a payload that is no text")
}
