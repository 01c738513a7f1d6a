//! The `JUnit` file, as Jenkins and its strict xUnit plugin read it: a function of the events and the scenarios' logs.

mod case;
mod document;
mod story;

use std::io::{self, Write as _};
use std::path::Path;

use super::RecordedRun;
use crate::output;

/// Writes the report on some runs in one step.
pub(crate) fn write(runs: &[&RecordedRun], path: &Path) -> io::Result<()> {
    let xml = document::render(runs, &output::excerpt_of)?;
    super::write_atomically(path, |file| file.write_all(xml.as_bytes()))
}

#[cfg(test)]
mod tests;
