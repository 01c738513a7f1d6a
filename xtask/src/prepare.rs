//! What `demo`, `test` and `bench` need before they start.

use std::process::Command;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::images::{self, Image};
use crate::setup;

/// lago's setting for where templates are listed.
const REPOSITORIES_VARIABLE: &str = "LAGO_TEMPLATE_REPO_PATH";

/// What tells the demo suite where the packages of its web server are.
const DEMO_PACKAGES_VARIABLE: &str = "LAGO_DEMO_PACKAGES";

/// Installs the packages that are missing.
pub(crate) fn packages() -> Result<()> {
    setup::run(&setup::Args::default()).context("setting up this machine")
}

/// Builds the guest images that the cache does not have.
pub(crate) fn images() -> Result<()> {
    images::build(Image::value_variants()).context("building the guest images")
}

/// As [`images()`], only those that the demo and the benchmarks use.
pub(crate) fn plain_images() -> Result<()> {
    images::build(&[Image::Mini, Image::Debian]).context("building the guest images")
}

/// Lets what this command runs find the guest images, and what is installed in them.
pub(crate) fn with_images(command: &mut Command) -> Result<&mut Command> {
    Ok(command
        .env(REPOSITORIES_VARIABLE, images::repository()?)
        .env(DEMO_PACKAGES_VARIABLE, images::webserver()?))
}
