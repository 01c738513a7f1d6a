//! The HTML report: one file that holds everything, for people. A function of the events and of the files that they name.

mod chart;
mod environment;
mod page;
mod record;
mod scenario;
mod sources;
mod summary;
mod verdict;
mod words;

use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use super::RecordedRun;
use super::timeline::timeline;
use sources::Sources;

/// Writes the report on a run in one step.
pub(crate) fn write(run: &RecordedRun, path: &Path) -> io::Result<()> {
    let record = record::gather(&run.events)?;
    super::write_atomically(path, |file| {
        let mut file = BufWriter::new(file);
        let failures = record.scenarios().filter(|scenario| scenario.has_failed()).count();
        let sources = Sources::new(&run.prefix, failures);
        page::write(&record, &timeline(&run.events), &sources, &mut file)?;
        file.flush()
    })
}

#[cfg(test)]
mod tests;
