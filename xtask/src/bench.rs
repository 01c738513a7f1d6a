//! `cargo xtask bench`.

use std::ffi::OsString;

use anyhow::Result;

use crate::{command, prepare, workspace};

/// Options of `cargo xtask bench`: those of the package `lago-bench`, which holds the figures.
///
/// The figures need the library and so its C dependencies, which this crate does without.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Names of figures (all without), `--json FILE`, `--runs COUNT`; `cargo xtask bench -- --help` lists them
    #[arg(value_name = "ARGUMENT", trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Prepares the machine and measures, with an optimised build.
pub(crate) fn run(args: &Args) -> Result<()> {
    prepare::packages()?;
    prepare::plain_images()?;
    // The figures are about the `lago` command as well, which running another package does not build.
    command::run(&mut workspace::cargo(["build", "--release", "--package", "lago"]))?;
    let mut bench = workspace::cargo(["run", "--release", "--package", "lago-bench"]);
    // The file for the figures is named from where the user is.
    bench.arg("--manifest-path").arg(workspace::root().join("Cargo.toml"));
    bench.current_dir(std::env::current_dir()?).arg("--").args(&args.arguments);
    command::run(prepare::with_images(&mut bench)?)
}
