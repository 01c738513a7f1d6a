//! The `lago` command, under its other name.

use std::process::ExitCode;

fn main() -> ExitCode {
    lago::cli::main(std::env::args_os())
}
