use std::path::PathBuf;

use anyhow::bail;
use serde_json::{Map, Value, json};

use crate::cli::context::Context;
use crate::collect::{CollectOptions, Collected, NotCollected};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// A directory, new or empty, that takes all of it.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,

    /// Fail when one of the paths that the init file lists under `artifacts` cannot be had.
    #[arg(long)]
    no_skip: bool,
}

impl Arguments {
    pub(in crate::cli) fn run(self, context: &Context) -> anyhow::Result<()> {
        let prefix = context.prefix()?;
        let options = CollectOptions::new("What lago collect found.");
        let collected = prefix.collect(&self.output, &options)?;
        context.print(&described(&collected))?;
        let artifacts = collected.missing.iter().filter(|missing| missing.is_artifact());
        let artifacts: Vec<_> = artifacts.map(line).collect();
        if self.no_skip && !artifacts.is_empty() {
            bail!("not all artifacts could be had:\n{}", artifacts.join("\n"));
        }
        Ok(())
    }
}

fn described(collected: &Collected) -> Value {
    let files: Map<String, Value> = collected
        .files
        .iter()
        .map(|file| {
            (file.path.display().to_string(), json!({ "bytes": file.bytes, "what": file.what }))
        })
        .collect();
    let missing: Map<String, Value> = collected
        .missing
        .iter()
        .map(|missing| (missing.path.display().to_string(), json!(missing.reason)))
        .collect();
    json!({ "Collected": { "directory": collected.directory, "files": files, "missing": missing } })
}

fn line(missing: &NotCollected) -> String {
    format!("{}: {}", missing.path.display(), missing.reason)
}
