//! The `JUnit` file, as Jenkins and its strict xUnit plugin read it: a function of the events and the scenarios' logs.

mod case;
mod document;
mod story;

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::RecordedRun;
use crate::output;

/// Writes the report on some runs in one step: a reader never sees half of it. Directories that are missing are made.
pub(crate) fn write(runs: &[&RecordedRun], path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|at| !at.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    let mut file = tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o644))
        .tempfile_in(directory)?;
    let xml = document::render(runs, &output::excerpt_of)?;
    file.write_all(xml.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests;
