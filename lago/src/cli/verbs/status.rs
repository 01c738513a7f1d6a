use serde_json::{Map, Value, json};

use crate::Prefix;
use crate::cli::context::Context;

pub(in crate::cli) fn run(context: &Context) -> anyhow::Result<()> {
    context.print(&status(&context.prefix()?)?)
}

fn status(prefix: &Prefix) -> anyhow::Result<Value> {
    let record = prefix.record();
    Ok(json!({
        "Prefix": {
            "Base directory": prefix.paths().prefix(),
            "UUID": record.id,
            "Host": record.host.to_string(),
            "Acceleration": record.acceleration.to_string(),
            "Snapshot": prefix.current_snapshot()?,
            "Fork of": record.origin,
            "Networks": networks(prefix)?,
            "VMs": vms(prefix)?,
        }
    }))
}

fn networks(prefix: &Prefix) -> anyhow::Result<Value> {
    let host_runs = prefix.host().is_running();
    let mut networks = Map::new();
    for net in prefix.networks() {
        let up = host_runs && net.alive()?;
        networks.insert(
            net.name().to_owned(),
            json!({
                "gateway": net.gateway(),
                "status": if up { "up" } else { "down" },
                "management": net.is_management(),
            }),
        );
    }
    Ok(Value::Object(networks))
}

fn vms(prefix: &Prefix) -> anyhow::Result<Value> {
    let mut vms = Map::new();
    for (vm, state) in prefix.states()? {
        let nics: Map<String, Value> = vm
            .nics()
            .iter()
            .enumerate()
            .map(|(index, nic)| {
                (format!("eth{index}"), json!({ "network": nic.net, "ip": nic.ip, "mac": nic.mac }))
            })
            .collect();
        vms.insert(
            vm.name().to_owned(),
            json!({
                "status": state,
                "memory": vm.spec().memory,
                "vcpu": vm.spec().vcpu,
                "groups": vm.spec().groups,
                "metadata": vm.spec().metadata,
                "NICs": nics,
                "console": vm.console_log(),
            }),
        );
    }
    Ok(Value::Object(vms))
}
