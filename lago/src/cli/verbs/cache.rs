use anyhow::Context as _;
use serde_json::{Value, json};

use crate::cache::{Cache, EntryInfo, Prune};
use crate::cli::context::Context;
use crate::cli::units::{ago, mebibytes};
use crate::config::Config;

#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Command {
    /// List the cached environments, the one that was used last first.
    List,
    /// Remove the cached environments that are of no use any more, and those beyond the setting `cache_size`.
    Prune {
        /// Remove all of them. Those on which an environment stands stay all the same.
        #[arg(long)]
        all: bool,
    },
    /// Have suites start from cached environments again.
    On,
    /// Have suites boot. The setting `cache` and the variable `LAGO_CACHE` have the last word.
    Off,
}

impl Command {
    pub(in crate::cli) fn run(self, context: &Context) -> anyhow::Result<()> {
        let config = Config::load()?;
        let cache = Cache::of(&config)
            .context("there is no place for a cache; name one with the setting `cache_dir`")?;
        match self {
            Self::List => context.print(&listing(&config, &cache)?),
            Self::Prune { all } => {
                let removed = cache.prune(if all { Prune::All } else { Prune::Useless })?;
                context.print(&json!({ "Removed": removed.iter().map(named).collect::<Value>() }))
            }
            Self::On => switch(&config, &cache, true),
            Self::Off => switch(&config, &cache, false),
        }
    }
}

fn switch(config: &Config, cache: &Cache, on: bool) -> anyhow::Result<()> {
    cache.switch(on)?;
    if let Some(setting) = config.cache.filter(|setting| *setting != on) {
        let setting = if setting { "on" } else { "off" };
        tracing::warn!("the setting `cache` says `{setting}` and has the last word");
    }
    Ok(())
}

fn listing(config: &Config, cache: &Cache) -> anyhow::Result<Value> {
    let entries = cache.entries()?;
    let total: u64 = entries.iter().map(|entry| entry.size).sum();
    Ok(json!({
        "Cache": {
            "directory": cache.dir(),
            "on": Cache::if_on(config).is_some(),
            "size": mebibytes(total),
            "limit": mebibytes(config.cache_size),
            "environments": entries.iter().map(named).collect::<Value>(),
        }
    }))
}

/// An entry under its short key.
fn named(entry: &EntryInfo) -> (String, Value) {
    let mut shown = json!({
        "VMs": entry.vms.join(", "),
        "made": entry.made.map(ago),
        "last used": entry.used.map(ago),
        "size": mebibytes(entry.size),
        "forks": entry.forks,
    });
    if let Some(damage) = &entry.damage {
        shown["damage"] = json!(damage);
    }
    (entry.key.short().to_owned(), shown)
}
