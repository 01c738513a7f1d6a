use std::path::Path;

use crate::cli::completion::vms;
use crate::cli::context::Context;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The VMs to stop; all of them without names. What nothing runs on any more goes as well.
    #[arg(value_name = "VM", add = vms())]
    vms: Vec<String>,
}

impl Arguments {
    pub(in crate::cli) fn run(self, context: &Context) -> anyhow::Result<()> {
        let prefix = context.prefix()?;
        if self.vms.is_empty() {
            say_stopping(prefix.paths().prefix());
        }
        Ok(prefix.stop_vms(&self.vms)?)
    }
}

/// In Lago's words, which scripts look for.
pub(super) fn say_stopping(prefix: &Path) {
    tracing::info!("Stop prefix {}", prefix.display());
}
