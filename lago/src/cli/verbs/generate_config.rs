use std::io::Write as _;

use crate::config;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Lago's flag for settings without a default. They are always there, as comments.
    #[arg(short = 'v', long = "verbose", hide = true)]
    _verbose: bool,
}

pub(in crate::cli) fn run() -> anyhow::Result<()> {
    Ok(std::io::stdout().write_all(config::generate().as_bytes())?)
}
