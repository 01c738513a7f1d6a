use std::time::Duration;

use crate::cli::completion::vms;
use crate::cli::context::Context;

/// How long a guest may take to go down, as in Lago; to come up again it may take as long as for a start.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(300);

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The VMs; all of them without names.
    #[arg(value_name = "VM", add = vms())]
    vms: Vec<String>,

    /// Start the guests anew instead, and wait until they answer again.
    #[arg(short, long)]
    reboot: bool,

    /// How many seconds each guest may take, instead of 300; with --reboot, instead of the setting `start_limit`.
    #[arg(long, value_name = "SECONDS")]
    limit: Option<u64>,
}

impl Arguments {
    pub(in crate::cli) fn run(&self, context: &Context) -> anyhow::Result<()> {
        let prefix = context.prefix()?;
        let limit = self.limit.map(Duration::from_secs);
        if self.reboot {
            let usual = context.config()?.start_limit;
            prefix.reboot(&self.vms, limit.unwrap_or(usual))?;
        } else {
            prefix.shutdown(&self.vms, limit.unwrap_or(SHUTDOWN_LIMIT))?;
        }
        Ok(())
    }
}
