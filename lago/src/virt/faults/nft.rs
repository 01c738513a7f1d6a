//! Rules about frames between VMs, in tables of nftables that are one fault each.

use uuid::Uuid;

use serde_json::Value;

use crate::Result;
use crate::host::Host;
use crate::utils::{CommandError, HostCommand};
use crate::virt::VirtError;

/// How the names of our tables begin.
const PREFIX: &str = "lago";

/// The beginning of the names of an environment's tables: on a shared host there are those of others.
pub(super) fn stem(environment: Uuid) -> String {
    format!("{PREFIX}-{}-", &environment.simple().to_string()[..8])
}

/// Puts a table in place, as a whole; one of the same name is replaced. `chains` is what is in it.
pub(super) fn put(host: &Host, table: &str, chains: &str) -> Result<()> {
    // A table that is named alone is made if it is not there, so that it can be deleted.
    let script = format!(
        "table bridge {table}\ndelete table bridge {table}\ntable bridge {table} {{\n{chains}}}\n"
    );
    super::require_here(host)?;
    host.run(nft().args(["-f", "-"]).stdin(script))?;
    Ok(())
}

/// Removes a table, if it is there.
pub(super) fn remove(host: &Host, table: &str) -> Result<()> {
    remove_where(host, |name| name == table)
}

/// Removes those tables whose name begins so.
pub(super) fn remove_all(host: &Host, stem: &str) -> Result<()> {
    remove_where(host, |name| name.starts_with(stem))
}

fn remove_where(host: &Host, wanted: impl Fn(&str) -> bool) -> Result<()> {
    let listed = match super::is_here(host).then(|| list(host)) {
        Some(Ok(tables)) => tables,
        // Who cannot make one has made none.
        None | Some(Err(crate::Error::Command(CommandError::Missing { .. }))) => return Ok(()),
        // Nor has a plain user at the machine's own libvirt, who may not even look.
        Some(Err(crate::Error::Command(CommandError::Failed { stderr, .. })))
            if !host.is_private() && stderr.contains("Operation not permitted") =>
        {
            return Ok(());
        }
        Some(Err(error)) => return Err(error),
    };
    for table in listed.iter().filter(|name| wanted(name)) {
        host.run(nft().args(["delete", "table", "bridge", table]))?;
    }
    Ok(())
}

/// The tables of bridges.
fn list(host: &Host) -> Result<Vec<String>> {
    let output = host.run(nft().args(["-j", "list", "tables", "bridge"]))?;
    names(&output.stdout).map_err(|reason| VirtError::Faults { reason }.into())
}

/// <https://manpages.debian.org/bookworm/libnftables1/libnftables-json.5.en.html>
fn names(json: &[u8]) -> Result<Vec<String>, String> {
    let list: Value = serde_json::from_slice(json).map_err(|error| format!("nft: {error}"))?;
    let objects = list["nftables"].as_array().ok_or("nft lists no objects")?;
    let tables = objects.iter().filter_map(|object| object["table"]["name"].as_str());
    Ok(tables.map(str::to_owned).collect())
}

fn nft() -> HostCommand {
    HostCommand::new("nft")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_told_from_the_rest_of_the_list() {
        let json = br#"{"nftables": [{"metainfo": {"version": "1.0.6"}},
            {"table": {"family": "bridge", "name": "lago-0a-partition-1", "handle": 3}}]}"#;
        assert_eq!(names(json).unwrap(), ["lago-0a-partition-1"]);
        assert!(names(b"{}").is_err() && names(b"").is_err());
    }
}
