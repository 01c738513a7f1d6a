//! What the harness itself costs: its scenarios, its memory, its output, its way to a prefix that runs.

mod attach;
mod memory;
mod output;
mod overhead;

use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

pub(super) use attach::attach;
pub(super) use memory::coordinator_rss;
pub(super) use output::large_output;
pub(super) use overhead::scenario_overhead;

/// Runs a suite to its end, which has to be a good one. Its output does not matter.
fn pass(suite: &mut Command) -> Result<()> {
    let status = suite.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    ensure!(status.success(), "the suite ended with {status}");
    Ok(())
}
