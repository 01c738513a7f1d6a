//! What is told on standard error while a run goes on.
//!
//! Standard error may be gone with its reader. What is going on must not end for that, so no error counts here.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, PoisonError};

use lago::Prefix;
use lago::utils::PrefixLog;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry};

/// Says from which level on log lines are told.
const VARIABLE: &str = "LAGO_LOG";

/// What the library does, for the log in the prefix.
static LOG: LazyLock<PrefixLog> = LazyLock::new(PrefixLog::default);

/// Prints whole lines above what a live view shows at the bottom of the terminal.
pub(crate) type PrintAbove = Box<dyn Fn(&[u8]) + Send>;

/// There while a live view is on the terminal.
static VIEW: Mutex<Option<PrintAbove>> = Mutex::new(None);

/// Prints a line.
pub(crate) fn tell(line: impl Display) {
    print(format!("{line}\n").as_bytes());
}

/// From now on lines go through a live view; with none, straight to standard error again.
#[expect(dead_code, reason = "the live view comes next")]
pub(crate) fn tell_above(view: Option<PrintAbove>) {
    *VIEW.lock().unwrap_or_else(PoisonError::into_inner) = view;
}

/// Prints whole lines. A line break in front ends a line that somebody else has begun; under a live view there is none.
fn print(lines: &[u8]) {
    match &*VIEW.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(print_above) => print_above(lines.strip_prefix(b"\n").unwrap_or(lines)),
        None => drop(io::stderr().write_all(lines)),
    }
}

/// Prints the library's log lines from now on: those of this level unless the user wants others, each after `before`.
/// `also` sees the library's spans and events as well.
pub(crate) fn tell_what_the_library_says(
    level: &str,
    before: &'static str,
    also: Option<impl Layer<Registry> + Send + Sync>,
) {
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new(level));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(move || LogLine { before })
        .with_ansi(false)
        .with_filter(filter);
    // A suite whose main has installed a subscriber of its own keeps it.
    let _ = tracing_subscriber::registry().with(also).with(lines).with(LOG.layer()).try_init();
}

/// Logs what the library does in this prefix from now on, unless it does so in another one already: what is done with
/// forks is in the log of the prefix that they are of. One that was made anew in its place has a new log.
pub(crate) fn log_into(prefix: &Prefix) {
    static FIRST: Mutex<Option<PathBuf>> = Mutex::new(None);
    let logs = prefix.paths().logs();
    let mut first = FIRST.lock().unwrap_or_else(PoisonError::into_inner);
    if first.as_ref().is_some_and(|first| *first != logs) {
        return;
    }
    match LOG.attach(&logs) {
        Ok(()) => *first = Some(logs),
        Err(error) => tracing::debug!("nothing is logged in the prefix: {error}"),
    }
}

/// Takes one log line.
struct LogLine {
    before: &'static str,
}

impl Write for LogLine {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        print(&[self.before.as_bytes(), line].concat());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
