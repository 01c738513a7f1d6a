//! A suite's program as the `lago` command, which the shell at a failure offers under that name.

use std::env;
use std::path::Path;
use std::process::ExitCode;

/// The name under which this program is the command.
pub(crate) const NAME: &str = "lago";

/// Whether it was started under that name.
pub(crate) fn is_wanted() -> bool {
    env::args_os()
        .next()
        .is_some_and(|program| Path::new(&program).file_name() == Some(NAME.as_ref()))
}

/// Does what the command line says, as `lago` does.
pub(crate) fn main() -> ExitCode {
    lago::cli::main(env::args_os())
}
