//! Live output: what a scenario has written to its log so far, line by line, for `--nocapture`.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::time::Duration;

use super::options::Live;
use crate::report::console;
use crate::tell;

/// How often the log is looked at: soon enough for a person.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

/// A line that is longer is shown in pieces of so many bytes.
const LONGEST_LINE: usize = 8 << 10;

/// Follows one scenario's log.
#[derive(Debug)]
pub(super) struct Tail<'a> {
    stage: &'a str,
    scenario: &'a str,
    log: &'a Path,
    live: Live,
    file: Option<File>,
    line: Vec<u8>,
    begun: bool,
}

impl<'a> Tail<'a> {
    pub(super) fn new(stage: &'a str, scenario: &'a str, log: &'a Path, live: Live) -> Self {
        Self { stage, scenario, log, live, file: None, line: Vec::new(), begun: false }
    }

    /// Prints the whole lines that have come since the last time. That it could not is no reason to end a run.
    pub(super) fn print_new(&mut self) {
        if tell::is_taken() {
            return;
        }
        let mut buffer = [0; 8 << 10];
        while let Ok(length @ 1..) = self.read(&mut buffer) {
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

    /// Prints what is left, also without the end of its line.
    pub(super) fn print_rest(&mut self) {
        tell::wait_for_terminal();
        self.print_new();
        if !self.line.is_empty() {
            self.print_line();
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(File::open(self.log)?),
        };
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
