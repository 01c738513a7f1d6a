use super::stop::say_stopping;
use crate::cli::context::Context;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Remove the disks and the snapshots too; only logs and reports stay.
    #[arg(long)]
    disks: bool,
}

impl Arguments {
    pub(in crate::cli) fn run(&self, context: &Context) -> anyhow::Result<()> {
        let prefix = context.prefix()?;
        say_stopping(prefix.paths().prefix());
        Ok(if self.disks { prefix.remove_disks() } else { prefix.cleanup() }?)
    }
}
