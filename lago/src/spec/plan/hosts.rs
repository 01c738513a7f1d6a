//! Names the addresses.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use crate::spec::InitFile;
use crate::spec::diagnostic::Report;
use crate::spec::names::LONGEST;

use super::{Plan, PlannedVm};

/// A name, the network that it belongs to, and where in the init file it comes from.
struct Record<'a> {
    net: &'a str,
    name: String,
    address: Ipv4Addr,
    source: Vec<String>,
    /// What the name belongs to, for messages.
    owner: String,
}

/// Enters the names of all machines, and those that the file adds, into the mappings of their networks.
pub(super) fn register(file: &InitFile, plan: &mut Plan, report: &Report<'_>) {
    let mut known: HashMap<String, Record<'_>> = HashMap::new();
    let mut accepted = Vec::new();
    for record in records(file, &plan.vms) {
        let name = record.name.to_lowercase();
        match known.get(&name) {
            Some(other) if other.address != record.address => {
                report_clash(file, &record, &other.owner, report);
            }
            _ => {
                accepted.push((record.net.to_owned(), record.name.clone(), record.address));
                known.insert(name, record);
            }
        }
    }
    for (net, name, address) in accepted {
        if let Some(net) = plan.nets.iter_mut().find(|planned| planned.name == net) {
            net.mapping.insert(name, address);
        }
    }
}

fn records<'a>(file: &'a InitFile, vms: &'a [PlannedVm]) -> Vec<Record<'a>> {
    let mut records: Vec<_> = vms.iter().filter_map(own_name).collect();
    records.extend(vms.iter().flat_map(nic_names));
    records.extend(file.nets.iter().flat_map(|(net, spec)| {
        spec.mapping.iter().map(move |(name, address)| Record {
            net,
            name: name.clone(),
            address: *address,
            source: ["nets", net, "mapping", name].map(str::to_owned).to_vec(),
            owner: format!("the mapping of {net:?}"),
        })
    }));
    // A name that no name server can hold is left out: the others of the same NIC remain.
    records.retain(|record| record.name.len() <= LONGEST);
    records
}

fn own_name(vm: &PlannedVm) -> Option<Record<'_>> {
    let nic = vm.management_nic()?;
    Some(Record {
        net: &nic.net,
        name: vm.name.clone(),
        address: nic.ip,
        source: ["domains", &vm.name].map(str::to_owned).to_vec(),
        owner: format!("the domain {:?}", vm.name),
    })
}

/// `<vm>-eth<N>` by the position in the VM, `<vm>-<net>-<N>` by the position in the network, and `<vm>-<net>` for the
/// first of these.
fn nic_names(vm: &PlannedVm) -> Vec<Record<'_>> {
    let mut records = Vec::new();
    for (index, nic) in vm.nics.iter().enumerate() {
        let earlier = vm.nics[..index].iter().filter(|other| other.net == nic.net).count();
        let mut names = vec![format!("{}-eth{index}", vm.name)];
        if earlier == 0 {
            names.push(format!("{}-{}", vm.name, nic.net));
        }
        names.push(format!("{}-{}-{earlier}", vm.name, nic.net));
        records.extend(names.into_iter().map(|name| Record {
            net: &nic.net,
            name,
            address: nic.ip,
            source: ["domains", &vm.name, "nics", &index.to_string()].map(str::to_owned).to_vec(),
            owner: format!("a NIC of {:?} on {:?}", vm.name, nic.net),
        }));
    }
    records
}

fn report_clash(file: &InitFile, record: &Record<'_>, owner: &str, report: &Report<'_>) {
    let source: Vec<&str> = record.source.iter().map(String::as_str).collect();
    report.mistake(
        file.origin.mark(&source),
        format!("the name {:?} would belong to {owner} and to {}", record.name, record.owner),
        "rename one of the two",
    );
}
