//! What several rooms need.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lago::guest::{Cmd, Output};
use lago::utils::{Probe, wait_until};

use crate::error::{Error, Result};
use crate::limits;

/// By which somebody says that nobody waits for the end any more: waits for an engine end with [`Error::Interrupted`], and what
/// was begun is undone. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// One that nobody has given yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives it.
    pub fn give(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Fails once it was given.
    pub fn check(&self) -> Result<()> {
        if self.0.load(Ordering::SeqCst) { Err(Error::Interrupted) } else { Ok(()) }
    }
}

/// How much of what a program printed is shown.
const SAID: usize = 2000;

/// Looks every second whether the engine says `Some`, and gives up after a limit. Errors that an engine gives which starts
/// or is busy are looked beyond; others end the wait.
pub fn wait_for_engine<T>(
    what: impl Into<String>,
    limit: Duration,
    mut look: impl FnMut() -> Result<Probe<T>>,
) -> Result<T> {
    wait_until(what, limit, limits::INTERVAL, || match look() {
        Err(Error::Api(error)) if error.is_worth_waiting_for() => {
            Ok(Probe::NotYet(error.to_string()))
        }
        other => other,
    })
}

/// Runs a program in a guest that has to succeed.
pub(crate) fn succeed(vm: &lago::Vm, command: &Cmd, what: &str, hint: &str) -> Result<Output> {
    let output = vm.output(command)?;
    if output.success() {
        return Ok(output);
    }
    let mut said = String::new();
    for (stream, text) in [("stderr", output.stderr()), ("stdout", output.stdout())] {
        if !text.trim().is_empty() {
            said = said + "\n  " + stream + ": " + tail(text.trim());
        }
    }
    Err(Error::Guest {
        vm: vm.name().to_owned(),
        what: what.to_owned(),
        status: output.status,
        hint: hint.to_owned(),
        said,
    })
}

/// The end of a text.
fn tail(text: &str) -> &str {
    let start = text.len().saturating_sub(SAID);
    let start = (start..=text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(start);
    &text[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_text_is_whole_characters() {
        let text = "é".repeat(SAID);
        assert_eq!(tail(&text).chars().count(), SAID / 2);
        assert_eq!(tail("short"), "short");
    }
}
