use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use super::template::repos;
use crate::cli::context::Context;
use crate::cli::units::ago;
use crate::config::Config;
use crate::templates::{AddedRepository, Update};

#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Command {
    /// Add a repository: a manifest when the address ends with .json or .metadata, otherwise a git repository with manifests.
    Add {
        /// Where it is.
        url: String,
        /// What it is called here; without it, the last part of the address.
        #[arg(long)]
        name: Option<String>,
    },
    /// Bring a repository, or all, to what its address has now.
    Update {
        /// Which one.
        name: Option<String>,
    },
    /// List the repositories that were added.
    List,
    /// Remove a repository; images that came from it stay in the store.
    Remove {
        /// Which one.
        name: String,
    },
}

impl Command {
    pub(in crate::cli) fn run(self, context: &Context) -> anyhow::Result<()> {
        let repos = repos(&Config::load()?)?;
        match self {
            Self::Add { url, name } => {
                let added = repos.add(&url, name.as_deref())?;
                context.print(&json!({ "Repositories": listing(&[added]) }))
            }
            Self::Update { name } => update(context, repos.update(name.as_deref())?),
            Self::List => context.print(&json!({ "Repositories": listing(&repos.list()?) })),
            Self::Remove { name } => Ok(repos.remove(&name)?),
        }
    }
}

/// Shows those that were updated, and fails when one was not.
fn update(context: &Context, updates: Vec<Update>) -> anyhow::Result<()> {
    let mut done = Vec::new();
    let mut failures = Vec::new();
    for Update { name, result } in updates {
        match result {
            Ok(repository) => done.push(repository),
            Err(error) => failures.push(format!("{name} stays as it is: {error}")),
        }
    }
    context.print(&json!({ "Repositories": listing(&done) }))?;
    anyhow::ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

fn listing(repositories: &[AddedRepository]) -> Value {
    repositories.iter().map(named).collect()
}

fn named(repository: &AddedRepository) -> (String, Value) {
    let updated = UNIX_EPOCH + Duration::from_secs(repository.updated);
    let shown = json!({
        "url": repository.shown_url(),
        "kind": repository.kind.as_str(),
        "updated": ago(updated),
        "templates": repository.templates.join(", "),
    });
    (repository.name.clone(), shown)
}
