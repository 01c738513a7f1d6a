//! What Lago's status has no place for.

use serde_json::{Map, Value, json};

use crate::Prefix;

pub(super) fn status(prefix: &Prefix) -> anyhow::Result<Value> {
    let record = prefix.record();
    Ok(json!({
        "Prefix": {
            "Base directory": prefix.paths().prefix(),
            "UUID": record.id.simple().to_string(),
            "Host": record.host.to_string(),
            "Acceleration": record.acceleration.to_string(),
            "Snapshot": prefix.current_snapshot()?,
            "Fork of": record.origin,
            "Networks": super::networks(prefix)?,
            "VMs": vms(prefix)?,
        }
    }))
}

fn vms(prefix: &Prefix) -> anyhow::Result<Value> {
    let mut vms = Map::new();
    for (vm, state) in prefix.states()? {
        let mut nics = super::nics(prefix, vm)?;
        for nic in vm.all_nics()? {
            nics[&format!("eth{}", nic.number())]["mac"] = json!(nic.mac());
        }
        vms.insert(
            vm.name().to_owned(),
            json!({
                "status": state,
                "distro": prefix.record().distro(vm.name()),
                "memory": vm.spec().memory,
                "vcpu": vm.spec().vcpu,
                "groups": vm.spec().groups,
                "metadata": prefix.metadata_with_copies(vm),
                "NICs": nics,
                "console": vm.console_log(),
            }),
        );
    }
    Ok(Value::Object(vms))
}
