//! Tasks of this repository: `cargo xtask --help`.

mod bench;
mod checks;
mod command;
mod demo;
mod doc;
mod images;
mod prepare;
mod setup;
mod steps;
mod test;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The tasks of this repository. Each installs and builds what it needs first.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install the packages that are missing, through apt or dnf; asks for root only for that
    Setup(setup::Args),
    /// Build the guest images of the fixtures, those that their cache does not have
    Images(images::Args),
    /// Bring up the demo suite: two VMs, three stages, a JUnit report
    Demo(demo::Args),
    /// Check the formatting, the lints, the documentation and the packages, and run every test
    Test(test::Args),
    /// Measure what lago costs, each figure beside a reference from the same run
    Bench(bench::Args),
    /// Build the documentation, with warnings denied
    Doc,
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<()> {
    match task {
        Task::Setup(args) => setup::run(&args),
        Task::Images(args) => images::run(&args),
        Task::Demo(args) => demo::run(&args),
        Task::Test(args) => test::run(&args),
        Task::Bench(args) => bench::run(&args),
        Task::Doc => doc::run(),
    }
}
