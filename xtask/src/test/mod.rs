//! `cargo xtask test`.

mod lanes;
mod programs;

use std::ffi::OsString;
use std::process::Command;

use anyhow::{Context, Result};
use programs::{Build, Program};

use crate::setup::test_user;
use crate::steps::Steps;
use crate::{checks, prepare};

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

/// All that `cargo test --workspace` runs, in two lanes: what keeps virtual machines busy, one program after the other, and
/// beside it the rest, which waits for little else than limits that are to pass.
fn tests(filter: Option<&str>, test_user: Option<&str>) -> Result<()> {
    let build = Build::of_all_tests().context("building the tests")?;
    let (with_vms, mut rest): (Vec<_>, Vec<_>) =
        build.programs()?.into_iter().partition(Program::has_vms);
    rest.push(Program::doc_tests());
    let settings = settings(test_user)?;
    lanes::run(&[with_vms, rest], |program| {
        let mut command = program.command();
        command.args(filter).envs(settings.iter().map(|(name, value)| (name, value)));
        command
    })
}

/// The variables that tests find the images by, and another user.
fn settings(test_user: Option<&str>) -> Result<Vec<(OsString, OsString)>> {
    let mut command = Command::new("env");
    command.envs(test_user.map(|user| (TEST_USER_VARIABLE, user)));
    let variables = prepare::with_images(&mut command)?.get_envs();
    Ok(variables.filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect())
}
