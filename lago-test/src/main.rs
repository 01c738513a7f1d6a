//! The `lago-test` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    lago_test::cli::main(std::env::args_os())
}
