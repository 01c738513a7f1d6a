mod details;
mod of_lago;

use serde_json::{Map, Value, json};

use crate::Prefix;
use crate::cli::context::Context;
use crate::spec::NetKind;
use crate::virt::VmState;

/// What a card without an address shows.
const NO_ADDRESS: &str = "N/A";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Show more than Lago did: the host, the snapshot, forks, memory, processors, hardware addresses, consoles.
    #[arg(long)]
    details: bool,
}

impl Arguments {
    pub(in crate::cli) fn run(&self, context: &Context) -> anyhow::Result<()> {
        if let Some(old) = of_lago::Environment::around(context)? {
            return context.print_as_lago(&old.status(&context.config()?));
        }
        let prefix = context.prefix()?;
        if self.details {
            return context.print(&details::status(&prefix)?);
        }
        context.print_as_lago(&status(&prefix)?)
    }
}

/// What Lago prints, and nothing else: scripts compare it.
fn status(prefix: &Prefix) -> anyhow::Result<Value> {
    Ok(json!({
        "Prefix": {
            "Base directory": prefix.paths().prefix(),
            "UUID": prefix.record().id.simple().to_string(),
            "Networks": networks(prefix)?,
            "VMs": vms(prefix)?,
        }
    }))
}

fn networks(prefix: &Prefix) -> anyhow::Result<Value> {
    let host_runs = prefix.host().is_running();
    let mut networks = Map::new();
    for net in prefix.networks() {
        let planned = prefix.record().plan.net(net.name());
        let has_gateway = planned.is_none_or(|net| net.kind != NetKind::Bridge);
        let mut shown = json!({
            "gateway": has_gateway.then(|| net.gateway()),
            "status": if host_runs && net.alive()? { "up" } else { "down" },
            "management": net.is_management(),
        });
        // Lago knew no IPv6, so no environment that it could describe shows more than it did.
        if let Some(gateway) = net.gateway6().filter(|_| has_gateway) {
            shown["gateway6"] = json!(gateway);
        }
        networks.insert(net.name().to_owned(), shown);
    }
    Ok(Value::Object(networks))
}

fn vms(prefix: &Prefix) -> anyhow::Result<Value> {
    let snapshots = prefix.snapshots()?;
    let mut vms = Map::new();
    for (vm, state) in prefix.states()? {
        let of_vm = snapshots.iter().filter(|snapshot| snapshot.vms.contains_key(vm.name()));
        let names: Vec<&str> = of_vm.map(|snapshot| &*snapshot.name).collect();
        vms.insert(
            vm.name().to_owned(),
            json!({
                "distro": prefix.record().distro(vm.name()),
                "root password": vm.root_password(),
                "status": in_lagos_words(state),
                "snapshots": names.join(", "),
                "metadata": prefix.metadata_with_copies(vm),
                "NICs": nics(prefix, vm)?,
            }),
        );
    }
    Ok(Value::Object(vms))
}

fn nics(prefix: &Prefix, vm: &crate::Vm) -> anyhow::Result<Map<String, Value>> {
    let mut shown = Map::new();
    for nic in vm.all_nics()? {
        let net = prefix.record().plan.net(nic.net());
        let is_bridge = net.is_some_and(|net| net.kind == NetKind::Bridge);
        let is_written = vm.spec().nics.get(nic.number()).is_some_and(|nic| nic.ip.is_some());
        // Nobody hands out addresses there.
        let ip = if is_bridge && !is_written { json!(NO_ADDRESS) } else { json!(nic.ip()) };
        let mut card = json!({ "network": nic.net(), "ip": ip });
        if let Some(ip6) = nic.ip6() {
            card["ip6"] = json!(ip6);
        }
        shown.insert(format!("eth{}", nic.number()), card);
    }
    Ok(shown)
}

fn in_lagos_words(state: VmState) -> String {
    match state {
        VmState::ShuttingDown => "begin shut down".to_owned(),
        other => other.to_string(),
    }
}
