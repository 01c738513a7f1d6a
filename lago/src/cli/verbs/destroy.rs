use std::io::{BufRead as _, IsTerminal as _, Write as _};

use anyhow::bail;

use super::stop::say_stopping;
use crate::Prefix;
use crate::cli::context::Context;
use crate::cli::which_prefix::Located;
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
            if let Some(link) = context.which.workdir.as_ref().filter(|path| path.is_symlink()) {
                self.confirm(&format!("the link {} to a workdir, and no prefix", link.display()))?;
                return Ok(std::fs::remove_file(link)?);
            }
            let workdir = context.which.workdir()?;
            self.confirm(&format!(
                "the workdir {} with all its prefixes",
                workdir.path().display()
            ))?;
            for name in workdir.list()? {
                say_stopping(&workdir.path().join(name));
            }
            return Ok(workdir.destroy()?);
        }
        let (workdir, name) = match context.which.located()? {
            Located::Alone(path) => {
                self.confirm(&format!("the prefix {}", path.display()))?;
                say_stopping(&path);
                return Ok(Prefix::destroy_at(path)?);
            }
            Located::In(workdir, name) => (workdir, name),
        };
        let name = match (&name, workdir.current(), &*workdir.unfinished()?) {
            (Some(name), ..) | (None, Err(WorkdirError::NoCurrent { .. }), [name]) => name.clone(),
            (None, current, _) => current?,
        };
        let path = workdir.prefix_path(&name)?;
        if path.is_symlink() {
            self.confirm(&format!("the link {} to a prefix, and not the prefix", path.display()))?;
            return Ok(std::fs::remove_file(path)?);
        }
        self.confirm(&format!("the prefix {}", path.display()))?;
        say_stopping(&path);
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
