use crate::cli::context::Context;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The VMs to stop; all of them, and what they run on, without names.
    #[arg(value_name = "VM")]
    vms: Vec<String>,
}

impl Arguments {
    pub(in crate::cli) fn run(self, context: &Context) -> anyhow::Result<()> {
        Ok(context.prefix()?.stop_vms(&self.vms)?)
    }
}
