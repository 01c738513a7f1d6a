use std::time::Duration;

use crate::cli::context::Context;
use crate::deploy::DEPLOY_SCRIPT_LIMIT;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// How many seconds each script may take, instead of an hour.
    #[arg(long, value_name = "SECONDS")]
    limit: Option<u64>,
}

impl Arguments {
    pub(in crate::cli) fn run(&self, context: &Context) -> anyhow::Result<()> {
        let prefix = context.prefix()?;
        for vm in prefix.vms() {
            if !prefix.deploy_scripts(vm)?.is_empty() {
                context.wait_for(vm)?;
            }
        }
        Ok(prefix.deploy(self.limit.map_or(DEPLOY_SCRIPT_LIMIT, Duration::from_secs))?)
    }
}
