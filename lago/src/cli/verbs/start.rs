use std::time::Duration;

use crate::cli::completion::vms;
use crate::cli::context::Context;
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The VMs to start, with the networks that they are on; all of them, and all networks, without names.
    #[arg(value_name = "VM", add = vms())]
    vms: Vec<String>,

    /// Return at power-on, without waiting for the guests.
    #[arg(long)]
    no_wait: bool,

    /// How many seconds the guests may take until they answer ssh, instead of the setting `start_limit`.
    #[arg(long, value_name = "SECONDS")]
    limit: Option<u64>,
}

impl Arguments {
    pub(in crate::cli) fn run(self, context: &Context) -> anyhow::Result<()> {
        let prefix = context.prefix()?;
        if self.no_wait {
            prefix.power_on(&self.vms)?;
        } else {
            prefix.start_vms(&self.vms, self.limit()?)?;
        }
        Ok(())
    }

    fn limit(&self) -> anyhow::Result<Duration> {
        match self.limit {
            Some(seconds) => Ok(Duration::from_secs(seconds)),
            None => Ok(Config::load()?.start_limit),
        }
    }
}
