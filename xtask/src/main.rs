//! Tasks of this repository: `cargo xtask --help`.

mod images;

use clap::Parser;

#[derive(Parser)]
enum Task {
    /// Builds the guest images of the fixtures.
    Images(images::Args),
}

fn main() -> anyhow::Result<()> {
    match Task::parse() {
        Task::Images(args) => images::run(&args),
    }
}
