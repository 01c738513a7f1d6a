//! Which prefix a verb is about.

use std::path::PathBuf;

use lago::workdir::Workdir;
use ovirt_suite::OvirtPrefix;

/// The options of `lago` that say where the prefix is. `lago ovirt` says it by the environment.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// The workdir; without it, `.lago` here or in the nearest directory above.
    #[arg(short = 'w', long, global = true, env = "LAGO_WORKDIR", value_name = "DIR")]
    workdir: Option<PathBuf>,

    /// Which prefix of the workdir; without it, the current one.
    #[arg(short = 'P', long, global = true, env = "LAGO_PREFIX_NAME", value_name = "NAME")]
    prefix_name: Option<String>,

    /// A prefix by its directory, in any workdir or none.
    #[arg(
        short = 'p', long, visible_alias = "prefix", global = true, env = "LAGO_PREFIX_PATH",
        value_name = "DIR", conflicts_with_all = ["workdir", "prefix_name"]
    )]
    prefix_path: Option<PathBuf>,
}

impl Place {
    /// Opens the prefix.
    pub(crate) fn prefix(&self) -> anyhow::Result<OvirtPrefix> {
        if let Some(path) = &self.prefix_path {
            return Ok(OvirtPrefix::open(path)?);
        }
        let workdir = match &self.workdir {
            Some(path) => Workdir::open(path)?,
            None => Workdir::find_upwards(&std::env::current_dir()?)?,
        };
        Ok(OvirtPrefix::open(workdir.resolve(self.prefix_name.as_deref())?)?)
    }
}
