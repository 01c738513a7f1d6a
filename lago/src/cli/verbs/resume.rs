use crate::cli::completion::vms;
use crate::cli::context::Context;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The VMs that are to run on; all that stand still, without names.
    #[arg(value_name = "VM", add = vms())]
    vms: Vec<String>,
}

impl Arguments {
    pub(in crate::cli) fn run(self, context: &Context) -> anyhow::Result<()> {
        Ok(context.prefix()?.resume(&self.vms)?)
    }
}
