use crate::cli::completion::vms;
use crate::cli::context::Context;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The VMs that are to stand still; all that run, without names.
    #[arg(value_name = "VM", add = vms())]
    vms: Vec<String>,
}

impl Arguments {
    pub(in crate::cli) fn run(self, context: &Context) -> anyhow::Result<()> {
        Ok(context.prefix()?.suspend(&self.vms)?)
    }
}
