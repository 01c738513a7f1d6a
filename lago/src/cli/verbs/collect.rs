use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use anyhow::bail;
use chrono::Utc;
use serde_json::{Map, Value, json};

use crate::Prefix;
use crate::cli::context::Context;
use crate::collect::{CollectOptions, Collected, NotCollected};
use crate::utils::FileError;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// A directory that takes all of it. One that is there already is renamed first: the time is appended to its name.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,

    /// Fail when one of the paths that the init file lists under `artifacts` cannot be had.
    #[arg(long)]
    no_skip: bool,
}

impl Arguments {
    pub(in crate::cli) fn run(self, context: &Context) -> anyhow::Result<()> {
        let prefix = context.prefix()?;
        rotate(&self.output)?;
        let options = CollectOptions::new("What lago collect found.");
        let collected = prefix.collect(&self.output, &options)?;
        link_artifacts(&prefix, &collected)?;
        context.print(&described(&collected))?;
        let artifacts = collected.missing.iter().filter(|missing| missing.is_artifact());
        let artifacts: Vec<_> = artifacts.map(line).collect();
        if self.no_skip && !artifacts.is_empty() {
            bail!("not all artifacts could be had:\n{}", artifacts.join("\n"));
        }
        Ok(())
    }
}

/// Makes room for a directory, as Lago does.
fn rotate(directory: &Path) -> anyhow::Result<()> {
    if !directory.is_dir() {
        return Ok(());
    }
    anyhow::ensure!(
        directory.file_name().is_some(),
        "{} has no name under which it could be kept; name another directory",
        directory.display()
    );
    // Without a slash at the end, if there is one.
    let mut old = directory.components().as_path().as_os_str().to_owned();
    old.push(Utc::now().format(".%Y-%m-%d_%H:%M:%S").to_string());
    anyhow::ensure!(
        !Path::new(&old).exists(),
        "{} and {} are both there; name another directory",
        directory.display(),
        Path::new(&old).display()
    );
    Ok(fs::rename(directory, &old).map_err(FileError::io("rename", directory))?)
}

/// Gives the artifacts the names that Lago gave them, right in the directory of their VM.
fn link_artifacts(prefix: &Prefix, collected: &Collected) -> anyhow::Result<()> {
    for vm in prefix.vms() {
        for artifact in &vm.spec().artifacts {
            let target = Path::new("artifacts").join(artifact.trim_start_matches('/'));
            let directory = collected.directory.join(vm.name());
            let leads_down = target.components().all(|part| matches!(part, Component::Normal(_)));
            let link = directory.join(artifact.replace('/', "_"));
            // Two artifacts may have one name.
            if leads_down && directory.join(&target).exists() && !link.is_symlink() {
                symlink(&target, &link).map_err(FileError::io("make the link", &link))?;
            }
        }
    }
    Ok(())
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
