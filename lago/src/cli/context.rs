//! Which prefix a verb is about, and how it prints.

use std::io::Write as _;
use std::path::PathBuf;

use serde_json::Value;

use super::output::OutFormat;
use crate::Prefix;
use crate::config::Config;
use crate::paths::Paths;
use crate::templates::{TemplateRepository, repositories};
use crate::utils::{PrefixLog, error_chain};
use crate::workdir::Workdir;

/// What the command line says before the verb.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) workdir: Option<PathBuf>,
    pub(super) prefix_name: Option<String>,
    pub(super) prefix_path: Option<PathBuf>,
    pub(super) out_format: OutFormat,
    pub(super) log: PrefixLog,
}

impl Context {
    /// The workdir that was named, or the one around the current directory.
    pub(super) fn workdir(&self) -> anyhow::Result<Workdir> {
        Ok(match &self.workdir {
            Some(path) => Workdir::open(path)?,
            None => Workdir::find_upwards(&std::env::current_dir()?)?,
        })
    }

    /// The prefix that the verb is about.
    pub(super) fn prefix(&self) -> anyhow::Result<Prefix> {
        let path = match &self.prefix_path {
            Some(path) => path.clone(),
            None => self.workdir()?.resolve(self.prefix_name.as_deref())?,
        };
        let prefix = Prefix::open(path)?;
        self.log_into(prefix.paths());
        Ok(prefix)
    }

    /// What the verb has done and does is logged in this prefix.
    pub(super) fn log_into(&self, prefix: &Paths) {
        if let Err(error) = self.log.attach(&prefix.logs()) {
            tracing::debug!("nothing is logged in the prefix: {}", error_chain(&error));
        }
    }

    /// The template repositories of the settings.
    pub(super) fn template_repositories() -> anyhow::Result<Vec<TemplateRepository>> {
        let config = Config::load()?;
        Ok(repositories(&config)?)
    }

    /// Prints what a verb found out, in the format that was asked for.
    pub(super) fn print(&self, value: &Value) -> anyhow::Result<()> {
        Ok(std::io::stdout().write_all(self.out_format.render(value).as_bytes())?)
    }
}
