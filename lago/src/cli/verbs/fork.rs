use std::path::PathBuf;
use std::time::Instant;

use crate::cli::context::Context;
use crate::prefix::PrefixError;
use crate::workdir::Workdir;
use crate::{Error, Prefix};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The snapshot, as `lago snapshot` lists it.
    #[arg(value_name = "NAME")]
    name: String,

    /// The fork's directory, which must not exist; without it, a new prefix `<prefix>-<NAME>-<number>` of the same
    /// workdir, or beside a prefix that was named by its path.
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
}

impl Arguments {
    pub(in crate::cli) fn run(&self, context: &Context) -> anyhow::Result<()> {
        let prefix = context.prefix()?;
        let workdir = match (&self.path, &context.which.prefix_path) {
            (None, None) => Some(context.which.workdir()?),
            _ => None,
        };
        let began = Instant::now();
        let fork = match &self.path {
            Some(path) => prefix.fork(&self.name, path)?,
            None => self.beside(&prefix, workdir.as_ref())?,
        };
        let path = fork.paths().prefix();
        tracing::info!("the fork {} is there after {:.1?}", path.display(), began.elapsed());
        let option = match (workdir, path.file_name()) {
            (Some(_), Some(name)) => format!("-P {}", name.display()),
            _ => format!("--prefix {}", path.display()),
        };
        let vm = fork.vms().next().map_or("VM", crate::Vm::name);
        tracing::info!(
            "`lago {option} shell {vm}` gets into it, `lago {option} destroy` removes it"
        );
        Ok(())
    }

    /// Forks to the first such place that is free, also when others do the same.
    fn beside(&self, prefix: &Prefix, workdir: Option<&Workdir>) -> anyhow::Result<Prefix> {
        let origin = prefix.paths().prefix();
        let base = origin.file_name().unwrap_or_default().display();
        for number in 1_u32.. {
            let name = format!("{base}-{}-{number}", self.name);
            let path = match workdir {
                Some(workdir) => workdir.prefix_path(&name)?,
                None => origin.with_file_name(name),
            };
            if path.exists() {
                continue;
            }
            match prefix.fork(&self.name, path) {
                Err(Error::Prefix(PrefixError::Exists { .. })) => {}
                forked => return Ok(forked?),
            }
        }
        unreachable!("there are more numbers than prefixes")
    }
}
