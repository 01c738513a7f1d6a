//! What `demo` and `test` need before they start.

use anyhow::{Context, Result};

use crate::setup;

/// Installs what is missing.
pub(crate) fn run() -> Result<()> {
    setup::run(&setup::Args::default()).context("setting up this machine")
}
