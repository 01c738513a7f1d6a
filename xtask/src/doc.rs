//! `cargo xtask doc`.

use anyhow::Result;

use crate::{command, workspace};

/// Builds the documentation of every member; a broken link or a missing comment is an error.
pub(crate) fn run() -> Result<()> {
    let mut cargo = workspace::cargo(["doc", "--workspace", "--no-deps"]);
    command::run(cargo.env("RUSTDOCFLAGS", "-D warnings"))
}
