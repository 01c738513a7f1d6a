use std::time::Instant;

use crate::cli::completion::snapshots;
use crate::cli::context::Context;
use crate::snapshot::RevertOptions;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The snapshot, as `lago snapshot` lists it.
    #[arg(value_name = "NAME", add = snapshots())]
    name: String,

    /// Let the guests' clocks go on from when the snapshot was taken, instead of setting them right.
    #[arg(long)]
    keep_clocks: bool,

    /// Leave the VMs standing still at that instant, until `lago resume`.
    #[arg(long)]
    paused: bool,
}

impl Arguments {
    pub(in crate::cli) fn run(&self, context: &Context) -> anyhow::Result<()> {
        let prefix = context.prefix()?;
        let began = Instant::now();
        let options = RevertOptions { set_clocks: !self.keep_clocks, paused: self.paused };
        prefix.revert_with(&self.name, options)?;
        tracing::info!("back at snapshot `{}` after {:.1?}", self.name, began.elapsed());
        Ok(())
    }
}
