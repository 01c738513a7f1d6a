//! Where the workspace is, and how cargo is called in it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command;

/// The directory of the workspace's `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest.parent().map_or(manifest.clone(), PathBuf::from)
}

/// The same cargo that runs this task, called in the workspace.
pub(crate) fn cargo<const N: usize>(args: [&str; N]) -> Command {
    let mut command = Command::new("cargo");
    command.args(args).current_dir(root());
    command
}

/// The names of the members that are meant to be published: the library crates.
pub(crate) fn published_members() -> Result<Vec<String>> {
    let metadata = command::answer(&mut cargo(["metadata", "--no-deps", "--format-version", "1"]))?;
    published(&metadata).context("cannot read the answer of `cargo metadata`")
}

#[derive(serde::Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(serde::Deserialize)]
struct Package {
    name: String,
    /// The registries that the package may go to: any when absent, none when empty.
    publish: Option<Vec<String>>,
}

fn published(metadata: &str) -> Result<Vec<String>> {
    let metadata: Metadata = serde_json::from_str(metadata)?;
    let publishable = metadata.packages.into_iter().filter(|package| package.publish.is_none());
    Ok(publishable.map(|package| package.name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_with_publish_false_are_left_out() {
        let metadata = r#"{"packages": [
            {"name": "lago", "publish": null},
            {"name": "xtask", "publish": []},
            {"name": "lago-test", "publish": null}
        ]}"#;
        assert_eq!(published(metadata).unwrap(), ["lago", "lago-test"]);
    }

    #[test]
    fn the_root_holds_the_workspace() {
        assert!(root().join("xtask/Cargo.toml").is_file());
    }
}
