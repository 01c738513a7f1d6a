//! What the guests' consoles say while scenarios run: a kernel that panics fails the scenario at once, with that line.
//!
//! A console counts from the moment at which the environment is up, put back or forked. What it says between two
//! scenarios counts for the next one.

mod patterns;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::outcome::Outcome;
use crate::result::Failure;
use lago::Vm;
use lago::guest::console::Follower;
pub(crate) use patterns::{Allowed, ConsoleRules, Patterns};

/// How often the consoles are looked at while a scenario runs.
pub(crate) const PAUSE: Duration = Duration::from_millis(200);

/// The longest part of a line that a failure quotes, in characters.
const QUOTED: usize = 500;

/// Watches the consoles of one environment.
#[derive(Debug)]
pub(crate) struct ConsoleWatch {
    patterns: Patterns,
    consoles: Vec<Console>,
}

#[derive(Debug)]
struct Console {
    vm: String,
    follower: Follower,
}

/// A place in the log of a VM's console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConsolePosition {
    pub(crate) vm: String,
    pub(crate) log: PathBuf,
    /// In bytes from the log's start.
    pub(crate) offset: u64,
}

/// A line of a console that no scenario survives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The VM.
    pub(crate) vm: String,
    /// What the line reports: `a kernel panic`.
    pub(crate) pattern: String,
    /// The line.
    pub(crate) line: String,
}

impl ConsoleWatch {
    /// Watches the consoles of these VMs from now on.
    pub(crate) fn new<'a>(patterns: Patterns, vms: impl IntoIterator<Item = &'a Vm>) -> Self {
        let console = |vm: &Vm| Console {
            vm: vm.name().to_owned(),
            follower: Follower::from_now(vm.console_log()),
        };
        Self { patterns, consoles: vms.into_iter().map(console).collect() }
    }

    /// Leaves out what the consoles have said until now.
    pub(crate) fn skip(&mut self) {
        for console in &mut self.consoles {
            console.follower.skip();
        }
    }

    /// Where in each VM's log begins what has not been looked at.
    pub(crate) fn positions(&self) -> Vec<ConsolePosition> {
        let position = |console: &Console| ConsolePosition {
            vm: console.vm.clone(),
            log: console.follower.log().to_owned(),
            offset: console.follower.position(),
        };
        self.consoles.iter().map(position).collect()
    }

    /// Reads on, up to the first line that is trouble and not allowed.
    pub(crate) fn find(&mut self, allowed: &Allowed) -> Option<Finding> {
        let patterns = &self.patterns;
        self.consoles.iter_mut().find_map(|console| {
            // A log that cannot be read says nothing about the guest.
            while let Ok(Some(line)) = console.follower.next_line() {
                if let Some(pattern) = patterns.name_of(&line, allowed) {
                    return Some(finding(&console.vm, pattern, &line));
                }
            }
            None
        })
    }

    /// As [`find`](Self::find); then in lines that have begun and not ended, as those of a VM that is gone.
    pub(crate) fn find_to_the_end(&mut self, allowed: &Allowed) -> Option<Finding> {
        if let Some(found) = self.find(allowed) {
            return Some(found);
        }
        let found = self.consoles.iter().find_map(|console| {
            let line = console.follower.unfinished()?;
            let pattern = self.patterns.name_of(&line, allowed)?;
            Some(finding(&console.vm, pattern, &line))
        });
        if found.is_some() {
            // The rest of that line is no second trouble.
            self.skip();
        }
        found
    }
}

fn finding(vm: &str, pattern: &str, line: &str) -> Finding {
    let line = line.trim().chars().take(QUOTED).collect();
    Finding { vm: vm.to_owned(), pattern: pattern.to_owned(), line }
}

impl Finding {
    /// The failure of a scenario that it has ended.
    pub(crate) fn into_failure(self) -> Failure {
        Failure::new(self.to_string()).without_location()
    }

    /// The outcome of a scenario that ended by itself before this was seen.
    pub(crate) fn added_to(self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Failed { failure } => {
                Outcome::Failed { failure: failure.caused_by([self.to_string()]) }
            }
            Outcome::Errored { message } => {
                Outcome::Errored { message: format!("{message}; {self}") }
            }
            ended => {
                let own = ended.is_failure().then(|| ended.to_string());
                Outcome::Failed { failure: self.into_failure().caused_by(own) }
            }
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { vm, pattern, line } = self;
        write!(f, "{pattern} on the console of VM {vm}: {line}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panic() -> Finding {
        finding("server", "a kernel panic", "[   1.0] Kernel panic - not syncing: x  ")
    }

    #[test]
    fn what_a_console_says_fails_what_has_passed_and_explains_what_has_failed() {
        let text =
            "a kernel panic on the console of VM server: [   1.0] Kernel panic - not syncing: x";
        let failed = Outcome::Failed { failure: panic().into_failure() };
        assert_eq!(failed.to_string(), text);
        assert_eq!(panic().added_to(Outcome::Passed), failed);
        assert_eq!(panic().added_to(Outcome::Skipped { reason: "no hosts".into() }), failed);

        let own = Failure::new("no page").without_location();
        let both = panic().added_to(Outcome::Failed { failure: own });
        assert_eq!(both.to_string(), format!("no page\n  caused by: {text}"));
        let both = panic().added_to(Outcome::Errored { message: "the worker died".into() });
        assert_eq!(both.to_string(), format!("the worker died; {text}"));
        let late = panic().added_to(Outcome::TimedOut { limit_ms: 1000, note: None }).to_string();
        assert!(late.starts_with(text) && late.contains("caused by: timed out"), "{late}");
    }

    #[test]
    fn a_long_line_is_cut() {
        assert_eq!(finding("server", "x", &"ä".repeat(2000)).line.chars().count(), QUOTED);
    }
}
