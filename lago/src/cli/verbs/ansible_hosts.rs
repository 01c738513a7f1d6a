use std::io::Write as _;

use super::ssh_config::this_program;
use crate::cli::context::Context;
use crate::inventory::Inventory;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// What VMs are grouped by: `vm-type`, `groups` and `vm-provider` without it. A path leads deeper, such as
    /// `disks/0/metadata/distro`.
    #[arg(short, long, value_name = "KEY", num_args = 0..)]
    keys: Vec<String>,
}

impl Arguments {
    pub(in crate::cli) fn run(&self, context: &Context) -> anyhow::Result<()> {
        let inventory = Inventory::new(&context.prefix()?, &self.keys, &this_program()?);
        Ok(writeln!(std::io::stdout(), "{}", inventory.to_ini())?)
    }
}
