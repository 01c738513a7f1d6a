//! `--logfile`: a line for each result, as libtest writes it.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Ended, Listed};
use crate::outcome::{Class, Outcome};
use crate::report::console;

/// The file that takes the results.
#[derive(Debug)]
pub(in super::super) struct LogFile {
    path: PathBuf,
    file: File,
}

impl LogFile {
    /// Makes the file, or empties it.
    pub(in super::super) fn create(path: &Path) -> Result<Self, String> {
        match File::create(path) {
            Ok(file) => Ok(Self { path: path.to_owned(), file }),
            Err(error) => Err(format!("--logfile {}: {error}", path.display())),
        }
    }

    /// Writes down what `--list` prints.
    pub(in super::super) fn list(&mut self, listed: &[Listed]) -> Result<(), String> {
        listed.iter().try_for_each(|listed| self.write(&format!("test {}\n", listed.name)))
    }

    /// Writes down how a scenario ended; with how long it took when `report_time`.
    pub(in super::super) fn result(
        &mut self,
        name: &str,
        ended: &Ended,
        report_time: bool,
    ) -> Result<(), String> {
        self.write(&line(name, &ended.outcome, ended.took.filter(|_| report_time)))
    }

    fn write(&mut self, line: &str) -> Result<(), String> {
        let written: io::Result<()> = self.file.write_all(line.as_bytes());
        written.map_err(|error| format!("cannot write to {}: {error}", self.path.display()))
    }
}

fn line(name: &str, outcome: &Outcome, took: Option<Duration>) -> String {
    let result = match (outcome, outcome.class()) {
        (_, Class::Passed) => "ok".to_owned(),
        (Outcome::TimedOut { .. }, _) => "failed (time limit exceeded)".to_owned(),
        (_, Class::Failure | Class::Error) => "failed".to_owned(),
        (_, Class::Tolerated | Class::NoResult) => {
            format!("ignored: {}", console::on_one_line(outcome))
        }
    };
    let took = took.map_or_else(String::new, |took| format!(" <{:.3}s>", took.as_secs_f64()));
    format!("{result} {name}{took}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_a_line() {
        let took = Some(Duration::from_millis(1234));
        assert_eq!(line("a::b", &Outcome::Passed, took), "ok a::b <1.234s>\n");
        let skipped = Outcome::Skipped { reason: "no hosts\nat all".into() };
        assert_eq!(line("a::b", &skipped, None), "ignored: no hosts a::b\n");
        let timed_out = Outcome::TimedOut { limit_ms: 1, note: None };
        assert_eq!(line("a::b", &timed_out, None), "failed (time limit exceeded) a::b\n");
        let errored = Outcome::Errored { message: "died".into() };
        assert_eq!(line("a::b", &errored, None), "failed a::b\n");
    }

    #[test]
    fn a_file_that_cannot_be_made_is_named() {
        let message = LogFile::create(Path::new("/no/such/log")).unwrap_err();
        assert!(message.starts_with("--logfile /no/such/log: "), "{message}");
    }
}
