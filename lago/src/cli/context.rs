//! Which prefix a verb is about, and how it prints.

use std::io::Write as _;
use std::time::Duration;

use serde_json::Value;

use super::lago_options::LagoOptions;
use super::output::OutFormat;
use super::which_prefix::WhichPrefix;
use crate::config::Config;
use crate::constants::{CURRENT_LINK, DEFAULT_PREFIX};
use crate::paths::Paths;
use crate::templates::{TemplateRepository, repositories};
use crate::utils::{PrefixLog, error_chain};
use crate::{Prefix, Vm};

/// What the command line says before the verb.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) which: WhichPrefix,
    pub(super) out_format: OutFormat,
    pub(super) lago: LagoOptions,
    pub(super) log: PrefixLog,
}

impl Context {
    /// The settings, with what the command line says instead of some of them.
    pub(super) fn config(&self) -> anyhow::Result<Config> {
        let mut config = Config::load()?;
        config.libvirt_uri = self.lago.libvirt_url.clone().or(config.libvirt_uri);
        config.lease_dir = self.lago.lease_dir.clone().or(config.lease_dir);
        Ok(config)
    }

    /// The prefix that the verb is about.
    pub(super) fn prefix(&self) -> anyhow::Result<Prefix> {
        let prefix = Prefix::open(self.which.path()?)?;
        self.log_into(prefix.paths());
        Ok(prefix)
    }

    /// The name of a new prefix, if the command line says one.
    pub(super) fn new_name(&self) -> Option<String> {
        self.which.prefix_name.as_deref().map(|name| match name {
            // As the current one there is none yet.
            CURRENT_LINK => DEFAULT_PREFIX.to_owned(),
            name => name.to_owned(),
        })
    }

    /// Waits until a command can be run in the guest, without a word.
    pub(super) fn wait_for(&self, vm: &Vm) -> anyhow::Result<()> {
        if !vm.alive()? {
            // The next thing that is asked of it says so, and what to do.
            return Ok(());
        }
        Ok(vm.ssh().wait(self.ssh_limit(vm)?)?)
    }

    /// How long a guest may take until it answers: as the command line says, else the init file, else the settings.
    pub(super) fn ssh_limit(&self, vm: &Vm) -> anyhow::Result<Duration> {
        let config = self.config()?;
        let of_the_vm = vm.spec().boot_time_sec.map(Duration::from_secs);
        let said = self.lago.ssh_limit(&config).or(of_the_vm);
        Ok(said.or(config.ssh_limit(None, None)).unwrap_or(config.start_limit))
    }

    /// What the verb has done and does is logged in this prefix.
    pub(super) fn log_into(&self, prefix: &Paths) {
        if let Err(error) = self.log.attach(&prefix.logs()) {
            tracing::debug!("nothing is logged in the prefix: {}", error_chain(&error));
        }
    }

    /// The template repositories of the settings.
    pub(super) fn template_repositories() -> anyhow::Result<Vec<TemplateRepository>> {
        Ok(repositories(&Config::load()?)?)
    }

    /// Prints what a verb found out, in the format that was asked for.
    pub(super) fn print(&self, value: &Value) -> anyhow::Result<()> {
        write(&self.out_format.render(value))
    }

    /// Prints what Lago's verb found out too, as it did.
    pub(super) fn print_as_lago(&self, value: &Value) -> anyhow::Result<()> {
        write(&self.out_format.render_as_lago(value))
    }
}

fn write(text: &str) -> anyhow::Result<()> {
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}
