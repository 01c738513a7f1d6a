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

/// How much of each console is looked at at once while a scenario runs, so that a guest which prints without end keeps
/// neither a limit nor a signal waiting.
const AT_ONCE: u64 = 1 << 20;

/// How much of each console's end is looked at once a scenario has ended, as far as it was not before. A kernel that dies
/// says so last.
const AT_THE_END: u64 = 8 << 20;

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

    /// Reads on for a moment, up to the first line that is trouble and not allowed.
    pub(crate) fn find(&mut self, allowed: &Allowed) -> Option<Finding> {
        let patterns = &self.patterns;
        self.consoles.iter_mut().find_map(|console| console.find(patterns, allowed, AT_ONCE))
    }

    /// As [`find`](Self::find), in all that the consoles have said up to now. Of what a guest has printed faster than it
    /// was read, the end counts: how much before that is left out is told, by VM.
    pub(crate) fn find_up_to_now(
        &mut self,
        allowed: &Allowed,
        left_out: impl Fn(&str, u64),
    ) -> Option<Finding> {
        let patterns = &self.patterns;
        self.consoles.iter_mut().find_map(|console| {
            // A log that cannot be read says nothing about the guest.
            let surplus = console.follower.skip_all_but(AT_THE_END).unwrap_or(0);
            if surplus > 0 {
                left_out(&console.vm, surplus);
            }
            let now = console.follower.unread().unwrap_or(0);
            console.find(patterns, allowed, now)
        })
    }

    /// As [`find_up_to_now`](Self::find_up_to_now); then in lines that have begun and not ended, as those of a VM that is
    /// gone.
    pub(crate) fn find_to_the_end(
        &mut self,
        allowed: &Allowed,
        left_out: impl Fn(&str, u64),
    ) -> Option<Finding> {
        if let Some(found) = self.find_up_to_now(allowed, left_out) {
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

impl Console {
    /// Reads on, so many bytes at most, up to the first line that is trouble and not allowed.
    fn find(&mut self, patterns: &Patterns, allowed: &Allowed, mut bytes: u64) -> Option<Finding> {
        // A log that cannot be read says nothing about the guest.
        while let Ok(Some(line)) = self.follower.next_line_within(&mut bytes) {
            if let Some(pattern) = patterns.name_of(&line, allowed) {
                return Some(finding(&self.vm, pattern, &line));
            }
        }
        None
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
    use std::cell::Cell;
    use std::fs;
    use std::io::Write as _;
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

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

    const PANIC: &str = "[   61.1] Kernel panic - not syncing: x\n";

    /// Consoles of these VMs, whose logs are in a directory.
    fn watch(directory: &Path, vms: &[&str]) -> ConsoleWatch {
        let console = |vm: &&str| Console {
            vm: (*vm).to_owned(),
            follower: Follower::from_now(directory.join(vm)),
        };
        let patterns = Patterns::new(&ConsoleRules::default());
        ConsoleWatch { patterns, consoles: vms.iter().map(console).collect() }
    }

    fn append(log: &Path, text: &str) {
        let log = fs::OpenOptions::new().append(true).create(true).open(log);
        log.unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn not_left_out(vm: &str, bytes: u64) {
        panic!("{bytes} bytes of {vm}");
    }

    #[test]
    fn a_look_takes_no_longer_than_a_look() {
        let directory = tempfile::tempdir().unwrap();
        let mut watch = watch(directory.path(), &["loud", "quiet"]);
        let allowed = Allowed::default();
        append(&directory.path().join("loud"), &"a line of noise\n".repeat(3 << 16));
        append(&directory.path().join("loud"), PANIC);
        assert_eq!(watch.find(&allowed), None);
        let read = |watch: &ConsoleWatch| watch.positions()[0].offset;
        assert_eq!(read(&watch), AT_ONCE);
        // The other one is looked at all the same.
        append(&directory.path().join("quiet"), PANIC);
        assert_eq!(watch.find(&allowed).unwrap().vm, "quiet");
        assert_eq!(read(&watch), 2 * AT_ONCE);
        assert_eq!(watch.find_to_the_end(&allowed, not_left_out).unwrap().vm, "loud");
        assert_eq!(watch.find_to_the_end(&allowed, not_left_out), None);
    }

    #[test]
    fn the_end_of_what_was_too_much_is_looked_at_and_the_rest_is_told_of() {
        let directory = tempfile::tempdir().unwrap();
        let mut watch = watch(directory.path(), &["loud"]);
        let log = directory.path().join("loud");
        append(&log, PANIC);
        fs::File::options().append(true).open(&log).unwrap().set_len(AT_THE_END + 5).unwrap();
        append(&log, &format!("\n{PANIC}"));
        let left_out = Cell::new(0);
        let found = watch.find_up_to_now(&Allowed::default(), |_, bytes| left_out.set(bytes));
        assert_eq!(found.unwrap().vm, "loud");
        assert_eq!(left_out.get(), 5 + 1 + PANIC.len() as u64);
        assert_eq!(watch.find_up_to_now(&Allowed::default(), not_left_out), None);
    }

    /// Without bounds, neither look would end as long as the guest goes on.
    #[test]
    fn a_guest_that_prints_without_end_holds_nothing_up() {
        let directory = tempfile::tempdir().unwrap();
        let mut watch = watch(directory.path(), &["loud"]);
        let log = directory.path().join("loud");
        append(&log, "a line\n");
        let is_enough = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let log = fs::File::options().append(true).open(&log).unwrap();
                let mut length = AT_ONCE;
                while !is_enough.load(Ordering::Relaxed) {
                    // It takes no room on the disk.
                    log.set_len(length).unwrap();
                    length += AT_ONCE;
                    thread::sleep(Duration::from_millis(1));
                }
            });
            let looks = (0..3).flat_map(|_| {
                let look = watch.find(&Allowed::default());
                [look, watch.find_to_the_end(&Allowed::default(), |_, _| {})]
            });
            let found: Vec<_> = looks.collect();
            is_enough.store(true, Ordering::Relaxed);
            assert_eq!(found, [const { None }; 6]);
        });
    }

    #[test]
    fn a_long_line_is_cut() {
        assert_eq!(finding("server", "x", &"ä".repeat(2000)).line.chars().count(), QUOTED);
    }
}
