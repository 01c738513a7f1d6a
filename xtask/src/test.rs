//! `cargo xtask test`.

use anyhow::Result;

use crate::setup::test_user;
use crate::steps::Steps;
use crate::{checks, command, prepare, workspace};

/// Names the plain user as whom the tests of the private host run it when they are root themselves.
const TEST_USER_VARIABLE: &str = "LAGO_TEST_USER";

/// Options of `cargo xtask test`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run only the tests whose name contains this, and none of the checks
    filter: Option<String>,
}

/// Sets the machine up, then builds the images and runs all checks and tests, and fails at the end if one did.
pub(crate) fn run(args: &Args) -> Result<()> {
    prepare::packages()?;
    let test_user = test_user::ensure()?;
    let mut steps = Steps::default();
    steps.run("images", prepare::images);
    if args.filter.is_none() {
        checks::run(&mut steps);
    }
    steps.run("test", || tests(args.filter.as_deref(), test_user));
    steps.finish()
}

fn tests(filter: Option<&str>, test_user: Option<&str>) -> Result<()> {
    let mut cargo = workspace::cargo(["test", "--workspace", "--no-fail-fast"]);
    cargo.args(filter);
    cargo.envs(test_user.map(|user| (TEST_USER_VARIABLE, user)));
    command::run(prepare::with_images(&mut cargo)?)
}
