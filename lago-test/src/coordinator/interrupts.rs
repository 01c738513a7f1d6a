//! Signals that end a run: the first one cleanly, with reports, the second one at once.

use std::fs;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::tell::{tell, tell_at_last};

/// They end a run.
const ENDING: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

/// Watches for the signals that end a run.
#[derive(Debug, Clone)]
pub(super) struct Interrupts {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// The first signal.
    first: OnceLock<i32>,
    /// Becomes readable, for good, with the first signal.
    wake: UnixStream,
    /// What stays behind when the run is left at once, with the command that removes it.
    left: Mutex<Option<String>>,
}

impl Interrupts {
    /// Takes over the signals; from now on they do not end the process by themselves. What is ignored stays ignored:
    /// `nohup` and a shell's `&` mean it.
    pub(super) fn watch() -> io::Result<Self> {
        let (wake, waker) = UnixStream::pair()?;
        let shared = Arc::new(Shared { first: OnceLock::new(), wake, left: Mutex::new(None) });
        let ignored = ignored(&fs::read_to_string("/proc/self/status")?);
        let heeded = ENDING.into_iter().filter(|signal| ignored & bit(*signal) == 0);
        let mut signals = Signals::new(heeded)?;
        let seen = Arc::clone(&shared);
        thread::spawn(move || {
            for signal in signals.forever() {
                seen.note(signal, &waker);
            }
        });
        Ok(Self { shared })
    }

    /// The first signal that came, if one has.
    pub(super) fn signal(&self) -> Option<i32> {
        self.shared.first.get().copied()
    }

    /// Readable as soon as a signal has come.
    pub(super) fn readable(&self) -> BorrowedFd<'_> {
        self.shared.wake.as_fd()
    }

    /// Says what a second signal leaves behind.
    pub(super) fn leaves_behind(&self, left: Option<String>) {
        *self.shared.left.lock().unwrap_or_else(PoisonError::into_inner) = left;
    }
}

impl Shared {
    fn note(&self, signal: i32, mut waker: &UnixStream) {
        if self.first.set(signal).is_ok() {
            let _ = waker.write_all(b"!");
            let what = "ending the run and writing its reports; once more to leave at once";
            let line = format!("\n{}: {what}", name(signal));
            // A terminal that was stopped does not keep the next signal from being heard.
            thread::spawn(|| tell(line));
        } else {
            self.leave(signal);
        }
    }

    /// Workers notice by the end of their socket and end themselves.
    fn leave(&self, signal: i32) -> ! {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let left = left.as_deref().unwrap_or("nothing is left running");
        tell_at_last(format_args!("\n{}: left at once; {left}", name(signal)));
        std::process::exit(i32::from(exit_code(signal)));
    }
}

/// The signals that a process ignores, a bit each, by its status as `proc_pid_status(5)` has it. Without such a line
/// none is known to be.
fn ignored(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// A signal in such a mask.
fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// The exit code of a run that a signal ended, as a shell has it.
pub(super) fn exit_code(signal: i32) -> u8 {
    128 + u8::try_from(signal).unwrap_or(0)
}

/// A signal's name.
pub(super) fn name(signal: i32) -> String {
    signal_hook::low_level::signal_name(signal)
        .map_or_else(|| format!("signal {signal}"), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_ignores_is_in_its_status() {
        let status = "Name:\tnohup\nSigBlk:\t0000000000004002\nSigIgn:\t0000000000001001\n";
        let is_ignored = |signal| ignored(status) & bit(signal) != 0;
        assert_eq!(ENDING.map(is_ignored), [false, false, true]);
        assert_eq!(ignored("Name:\tother\n"), 0);
    }
}
