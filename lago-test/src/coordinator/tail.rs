//! Live output: what a scenario has written to its log so far, line by line, for `--nocapture`.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::Duration;

use super::options::Live;
use crate::report::console;
use crate::tell;

/// How often the log is looked at: soon enough for a person.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

/// A line that is longer is shown in pieces of so many bytes.
const LONGEST_LINE: usize = 8 << 10;

/// How much is shown at one look, so that one who prints without end does not keep the others waiting.
const AT_ONCE: u64 = 1 << 20;

/// Follows one scenario's log.
#[derive(Debug)]
pub(super) struct Tail<'a> {
    stage: &'a str,
    scenario: &'a str,
    log: &'a Path,
    /// Where in the log this try of the scenario begins.
    from: u64,
    live: Live,
    file: Option<File>,
    line: Vec<u8>,
    begun: bool,
}

impl<'a> Tail<'a> {
    pub(super) fn new(
        stage: &'a str,
        scenario: &'a str,
        log: &'a Path,
        from: u64,
        live: Live,
    ) -> Self {
        Self { stage, scenario, log, from, live, file: None, line: Vec::new(), begun: false }
    }

    /// Prints whole lines that have come since the last time. That it could not is no reason to end a run.
    pub(super) fn print_new(&mut self) {
        if !tell::is_taken() {
            self.print_at_most(AT_ONCE);
        }
    }

    fn print_at_most(&mut self, bytes: u64) {
        let mut buffer = [0; 8 << 10];
        let mut left = bytes;
        while left > 0
            && let Ok(length @ 1..) = self.read(&mut buffer)
        {
            left = left.saturating_sub(length as u64);
            for &byte in &buffer[..length] {
                if byte != b'\n' {
                    self.line.push(byte);
                }
                if byte == b'\n' || self.line.len() >= LONGEST_LINE {
                    self.print_line();
                }
            }
        }
    }

    /// Prints what is left, also without the end of its line. What a child that lives on writes meanwhile is left out.
    pub(super) fn print_rest(&mut self) {
        tell::wait_for_terminal();
        self.print_at_most(self.log.metadata().map_or(0, |log| log.len()));
        if !self.line.is_empty() {
            self.print_line();
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.file.is_none() {
            let mut file = File::open(self.log)?;
            file.seek(SeekFrom::Start(self.from))?;
            self.file = Some(file);
        }
        let Some(file) = &mut self.file else { return Ok(0) };
        file.read(buffer)
    }

    fn print_line(&mut self) {
        let text = String::from_utf8_lossy(&self.line);
        let line = console::live_line(self.stage, self.scenario, &text);
        // The line with the test's name has not ended yet.
        let start = if self.begun { "" } else { "\n" };
        let _ = match self.live {
            Live::Stdout => writeln!(io::stdout(), "{start}{line}"),
            Live::Stderr => writeln!(io::stderr(), "{line}"),
        };
        self.begun = true;
        self.line.clear();
    }
}
