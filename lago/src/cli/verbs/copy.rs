use std::path::PathBuf;

use crate::cli::completion::vms;
use crate::cli::context::Context;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ToVmArguments {
    /// The VM to copy into.
    #[arg(value_name = "VM", add = vms())]
    vm: String,
    /// A file or a directory of this host.
    #[arg(value_name = "LOCAL")]
    local: PathBuf,
    /// Where it goes in the VM.
    #[arg(value_name = "REMOTE")]
    remote: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct FromVmArguments {
    /// The VM to copy out of.
    #[arg(value_name = "VM", add = vms())]
    vm: String,
    /// A file or a directory of the VM.
    #[arg(value_name = "REMOTE")]
    remote: PathBuf,
    /// Where it goes on this host.
    #[arg(value_name = "LOCAL", default_value = ".")]
    local: PathBuf,
}

impl ToVmArguments {
    pub(in crate::cli) fn run(self, context: &Context) -> anyhow::Result<()> {
        let prefix = context.prefix()?;
        let vm = prefix.vm(&self.vm)?;
        context.wait_for(vm)?;
        Ok(vm.copy_to(self.local, self.remote)?)
    }
}

impl FromVmArguments {
    pub(in crate::cli) fn run(self, context: &Context) -> anyhow::Result<()> {
        let prefix = context.prefix()?;
        let vm = prefix.vm(&self.vm)?;
        context.wait_for(vm)?;
        Ok(vm.copy_from(self.remote, self.local)?)
    }
}
