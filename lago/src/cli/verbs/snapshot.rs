mod by_vm;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use tracing::level_filters::LevelFilter;

use crate::Prefix;
use crate::cli::completion::snapshots;
use crate::cli::context::Context;
use crate::cli::level;
use crate::snapshot::{Snapshot, SnapshotKind, SnapshotOptions};
use crate::utils::error_chain;

/// A million bytes, in which sizes are shown.
const MEGABYTE: f64 = 1e6;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// What to call it; without a name, the snapshots are listed, with what they hold and the one that each stands on.
    #[arg(value_name = "NAME", conflicts_with = "delete")]
    name: Option<String>,

    /// Keep the disks of running VMs without their memory. A revert to it boots the VMs.
    #[arg(long, requires = "name")]
    live: bool,

    /// List the snapshots of each VM, with the disks that they have frozen. A name is not looked at then, as in Lago.
    #[arg(short, long, alias = "list-only")]
    list: bool,

    /// Delete the snapshot NAME. What stands on it stays as it is.
    #[arg(short, long, value_name = "NAME", conflicts_with = "list", add = snapshots())]
    delete: Option<String>,

    // `-l` is the list here, as it was in Lago: this is the option of all verbs without its letter.
    /// How much is logged to stderr, instead of the setting `loglevel`: off, error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL", value_parser = level)]
    loglevel: Option<LevelFilter>,
}

impl Arguments {
    pub(in crate::cli) fn run(&self, context: &Context) -> anyhow::Result<()> {
        let prefix = context.prefix()?;
        if let Some(name) = &self.delete {
            return Ok(prefix.delete_snapshot(name)?);
        }
        if self.list {
            return context.print_as_lago(&by_vm::listing(&prefix)?);
        }
        let Some(name) = &self.name else { return context.print(&listing(&prefix)?) };
        let snapshot = prefix.snapshot_with(name, SnapshotOptions { live: self.live })?;
        tracing::info!("{}", report(&prefix, &snapshot)?);
        if !snapshot.outside.is_empty() {
            let outside = snapshot.outside.join(", ");
            tracing::info!("not in it, as lago only reaches them over ssh: {outside}");
        }
        Ok(())
    }
}

fn report(prefix: &Prefix, snapshot: &Snapshot) -> anyhow::Result<String> {
    let Snapshot { name, took, pause, .. } = snapshot;
    let still = match snapshot.kind {
        SnapshotKind::Memory => format!(", the VMs stood still for {pause:.1?}"),
        SnapshotKind::Live => format!(", the file systems were at rest for {pause:.1?}"),
        SnapshotKind::Stopped => String::new(),
    };
    let size = prefix.snapshot_size(&snapshot.name)?;
    let (memory, disks) = (megabytes(size.memory), megabytes(size.disks));
    Ok(format!(
        "snapshot `{name}` taken in {took:.1?}{still}; it takes {memory} MB for memory, {disks} MB for disks"
    ))
}

fn listing(prefix: &Prefix) -> anyhow::Result<Value> {
    let snapshots = prefix.snapshots()?;
    let mut all = Map::new();
    for snapshot in in_tree_order(&snapshots) {
        all.insert(snapshot.name.clone(), described(prefix, snapshot));
    }
    Ok(json!({ "Snapshots": { "current": prefix.current_snapshot()?, "all": all } }))
}

fn described(prefix: &Prefix, snapshot: &Snapshot) -> Value {
    let created = DateTime::<Utc>::from(snapshot.created);
    // A file that was removed by hand is no reason not to see the others.
    let size = prefix.snapshot_size(&snapshot.name).inspect_err(|error| {
        tracing::warn!("snapshot `{}`: {}", snapshot.name, error_chain(error));
    });
    let size = size.ok();
    let states = snapshot.vms.iter().map(|(name, vm)| (name.clone(), json!(vm.state)));
    let mut described = json!({
        "parent": snapshot.parent,
        "created": created.to_rfc3339_opts(SecondsFormat::Secs, true),
        "kind": snapshot.kind,
        "took_ms": milliseconds(snapshot.took),
        "pause_ms": milliseconds(snapshot.pause),
        "memory_mb": size.map(|size| megabytes(size.memory)),
        "disks_mb": size.map(|size| megabytes(size.disks)),
        "VMs": states.collect::<Map<_, _>>(),
    });
    if !snapshot.outside.is_empty() {
        described["outside"] = json!(snapshot.outside);
    }
    described
}

/// Each snapshot after the one that it stands on, and what stands on it right after it.
fn in_tree_order(snapshots: &[Snapshot]) -> Vec<&Snapshot> {
    let on = |parent: Option<&str>| {
        let standing = snapshots.iter().filter(|snapshot| snapshot.parent.as_deref() == parent);
        standing.rev().collect::<Vec<_>>()
    };
    let mut waiting = on(None);
    let mut ordered = Vec::new();
    while let Some(next) = waiting.pop() {
        ordered.push(next);
        waiting.extend(on(Some(&next.name)));
    }
    ordered
}

fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// With one decimal.
#[expect(clippy::cast_precision_loss, reason = "no file has so many bytes")]
fn megabytes(bytes: u64) -> f64 {
    (bytes as f64 / MEGABYTE * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::tests::snapshot;

    #[test]
    fn what_stands_on_a_snapshot_follows_it() {
        let taken = |name: &str, parent: Option<&str>| Snapshot {
            parent: parent.map(str::to_owned),
            ..snapshot(name)
        };
        let snapshots = [
            taken("clean", None),
            taken("deployed", Some("clean")),
            taken("other", None),
            taken("broken", Some("clean")),
            taken("served", Some("deployed")),
        ];
        let names: Vec<_> =
            in_tree_order(&snapshots).iter().map(|snapshot| snapshot.name.clone()).collect();
        assert_eq!(names, ["clean", "deployed", "served", "broken", "other"]);
    }

    #[test]
    fn sizes_have_one_decimal() {
        assert_eq!(serde_json::json!(megabytes(78_349_999)).to_string(), "78.3");
        assert_eq!(serde_json::json!(megabytes(0)).to_string(), "0.0");
    }
}
