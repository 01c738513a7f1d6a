use crate::cli::completion::prefixes;
use crate::cli::context::Context;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The prefix that verbs use from now on.
    #[arg(value_name = "NAME", add = prefixes())]
    name: String,
}

impl Arguments {
    pub(in crate::cli) fn run(self, context: &Context) -> anyhow::Result<()> {
        Ok(context.which.workdir()?.set_current(&self.name)?)
    }
}
