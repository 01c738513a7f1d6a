use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::context::Context;
use crate::cli::units::{ago, mebibytes};
use crate::config::Config;
use crate::templates::{StoreEntry, StoreEntryState, StorePrune, TemplateStore};

/// A day in seconds.
const DAY: u64 = 24 * 3600;

#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Command {
    /// List the images in the store: how large they are, and who uses them.
    List,
    /// Remove damaged images and what interrupted downloads left. What a prefix, a fork or the cache uses stays in any case.
    Prune {
        /// Remove all images that nothing uses, too.
        #[arg(long, conflicts_with = "older_than")]
        all: bool,
        /// Remove images that nothing uses and that were not used for so many days, too.
        #[arg(long, value_name = "DAYS")]
        older_than: Option<u64>,
    },
}

impl Command {
    pub(in crate::cli) fn run(self, context: &Context) -> anyhow::Result<()> {
        let store = TemplateStore::open(&Config::load()?.store()?)?;
        match self {
            Self::List => {
                let entries = store.entries()?;
                let total = entries.iter().map(|entry| entry.size).sum();
                context.print(&json!({
                    "Store": {
                        "directory": store.path(),
                        "size": mebibytes(total),
                        "images": entries.iter().map(named).collect::<Value>(),
                    }
                }))
            }
            Self::Prune { all, older_than } => {
                let removed = store.prune(wanted(all, older_than))?;
                context.print(&json!({ "Removed": removed.iter().map(named).collect::<Value>() }))
            }
        }
    }
}

fn wanted(all: bool, older_than: Option<u64>) -> StorePrune {
    match older_than {
        _ if all => StorePrune::All,
        Some(days) => StorePrune::OlderThan(Duration::from_secs(days.saturating_mul(DAY))),
        None => StorePrune::Useless,
    }
}

fn named(entry: &StoreEntry) -> (String, Value) {
    let mut shown = json!({
        "state": state(&entry.state),
        "size": mebibytes(entry.size),
        "last used": entry.last_used.map(ago),
        "users": entry.users,
    });
    if let StoreEntryState::Whole { digest, format } = &entry.state {
        shown["format"] = json!(format.as_str());
        shown["digest"] = json!(digest.with_algorithm());
    }
    (entry.name.clone(), shown)
}

fn state(state: &StoreEntryState) -> &'static str {
    match state {
        StoreEntryState::Whole { .. } => "whole",
        StoreEntryState::Damaged => "damaged",
        StoreEntryState::Unfinished => "unfinished",
        StoreEntryState::InUse => "being fetched",
    }
}
