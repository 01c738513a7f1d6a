//! What is told on standard error while a run goes on.
//!
//! Standard error may be gone with its reader. What is going on must not end for that, so no error counts here.

use std::fmt::Display;
use std::io::{self, Write};

use tracing_subscriber::EnvFilter;

/// Says from which level on log lines are told.
const VARIABLE: &str = "LAGO_LOG";

/// Prints a line.
pub(crate) fn tell(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Prints the library's log lines from now on: those of this level unless the user wants others, each after `before`.
pub(crate) fn tell_what_the_library_says(level: &str, before: &'static str) {
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new(level));
    // A suite whose main has installed a subscriber of its own keeps it.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || LogLine { before })
        .with_ansi(false)
        .try_init();
}

/// Takes one log line.
struct LogLine {
    before: &'static str,
}

impl Write for LogLine {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _ = io::stderr().write_all(&[self.before.as_bytes(), line].concat());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
