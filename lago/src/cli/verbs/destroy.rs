use std::io::{BufRead as _, IsTerminal as _, Write as _};

use anyhow::bail;

use crate::Prefix;
use crate::cli::context::Context;
use crate::workdir::WorkdirError;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,

    /// Destroy every prefix of the workdir, and the workdir.
    #[arg(long)]
    all_prefixes: bool,
}

impl Arguments {
    pub(in crate::cli) fn run(&self, context: &Context) -> anyhow::Result<()> {
        if self.all_prefixes {
            let workdir = context.workdir()?;
            self.confirm(&format!(
                "the workdir {} with all its prefixes",
                workdir.path().display()
            ))?;
            return Ok(workdir.destroy()?);
        }
        if let Some(path) = &context.prefix_path {
            self.confirm(&format!("the prefix {}", path.display()))?;
            return Ok(Prefix::destroy_at(path)?);
        }
        let workdir = context.workdir()?;
        let name = match (&context.prefix_name, workdir.current(), &*workdir.unfinished()?) {
            (Some(name), ..) | (None, Err(WorkdirError::NoCurrent { .. }), [name]) => name.clone(),
            (None, current, _) => current?,
        };
        let path = workdir.prefix_path(&name)?;
        self.confirm(&format!("the prefix {}", path.display()))?;
        Prefix::destroy_at(&path)?;
        Ok(workdir.removed(&name)?)
    }

    /// A person is asked; a script, which has no terminal, has to say `--yes`.
    fn confirm(&self, what: &str) -> anyhow::Result<()> {
        if self.yes {
            return Ok(());
        }
        if !std::io::stdin().is_terminal() {
            bail!("this would destroy {what}; say --yes to do it without being asked");
        }
        eprint!("destroy {what}? [y/N] ");
        std::io::stderr().flush()?;
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer)?;
        if !matches!(answer.trim(), "y" | "Y" | "yes") {
            bail!("not destroyed");
        }
        Ok(())
    }
}
