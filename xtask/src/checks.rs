//! What must hold of the sources, beside the tests.

use anyhow::{Result, ensure};

use crate::steps::Steps;
use crate::{command, doc, workspace};

/// Adds every check to the steps.
pub(crate) fn run(steps: &mut Steps) {
    steps.run("format", || command::run(&mut workspace::cargo(["fmt", "--all", "--check"])));
    steps.run("clippy", clippy);
    steps.run("doc", doc::run);
    steps.run("package", package);
}

fn clippy() -> Result<()> {
    let args = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    command::run(&mut workspace::cargo(args))
}

/// Packs every library crate. It is not built from its package: that would compile everything once more.
fn package() -> Result<()> {
    let members = workspace::published_members()?;
    ensure!(!members.is_empty(), "no member of the workspace is meant to be published");
    // A work tree with changes is what one tests before a commit.
    let mut cargo = workspace::cargo(["package", "--no-verify", "--allow-dirty"]);
    for member in &members {
        cargo.args(["--package", member]);
    }
    command::run(&mut cargo)
}
