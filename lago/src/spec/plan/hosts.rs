//! Names the addresses.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use indexmap::IndexMap;

use crate::spec::InitFile;
use crate::spec::diagnostic::Report;
use crate::spec::names::LONGEST;
use crate::spec::types::Net;

use super::{Plan, PlannedNic, PlannedVm};

/// A name, the network that it belongs to, and where in the init file it comes from.
struct Record<'a, A> {
    net: &'a str,
    name: String,
    address: A,
    source: Vec<String>,
    /// What the name belongs to, for messages.
    owner: String,
}

/// A name in a network, and its address.
type Name<A> = (String, String, A);

/// The addresses of one family: where a NIC has one, and where a network of the file names some.
struct Family<A> {
    of_nic: fn(&PlannedNic) -> Option<A>,
    of_net: fn(&Net) -> &IndexMap<String, A>,
}

const IPV4: Family<Ipv4Addr> = Family { of_nic: |nic| Some(nic.ip), of_net: |net| &net.mapping };
const IPV6: Family<Ipv6Addr> = Family { of_nic: |nic| nic.ip6, of_net: |net| &net.mapping6 };

/// Enters the names of all machines, and those that the file adds, into the mappings of their networks.
pub(super) fn register(file: &InitFile, plan: &mut Plan, report: &Report<'_>) {
    for (net, name, address) in names(file, &plan.vms, &IPV4, report) {
        if let Some(net) = plan.nets.iter_mut().find(|planned| planned.name == net) {
            net.mapping.insert(name, address);
        }
    }
    // A clash of two machines is one in both families: it is said once.
    if !report.is_clean() {
        return;
    }
    for (net, name, address) in names(file, &plan.vms, &IPV6, report) {
        if let Some(net) = plan.nets.iter_mut().find(|planned| planned.name == net) {
            net.mapping6.insert(name, address);
        }
    }
}

fn names<A: Copy + PartialEq>(
    file: &InitFile,
    vms: &[PlannedVm],
    family: &Family<A>,
    report: &Report<'_>,
) -> Vec<Name<A>> {
    let mut known: HashMap<String, Record<'_, A>> = HashMap::new();
    let mut accepted = Vec::new();
    for record in records(file, vms, family) {
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
    accepted
}

fn records<'a, A: Copy>(
    file: &'a InitFile,
    vms: &'a [PlannedVm],
    family: &Family<A>,
) -> Vec<Record<'a, A>> {
    let mut records: Vec<_> = vms.iter().filter_map(|vm| own_name(vm, family)).collect();
    records.extend(vms.iter().flat_map(|vm| nic_names(vm, family)));
    records.extend(file.nets.iter().flat_map(|(net, spec)| {
        (family.of_net)(spec).iter().map(move |(name, address)| Record {
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

fn own_name<'a, A>(vm: &'a PlannedVm, family: &Family<A>) -> Option<Record<'a, A>> {
    let nic = vm.management_nic()?;
    Some(Record {
        net: &nic.net,
        name: vm.name.clone(),
        address: (family.of_nic)(nic)?,
        source: ["domains", &vm.name].map(str::to_owned).to_vec(),
        owner: format!("the domain {:?}", vm.name),
    })
}

/// The names of the addresses of a VM's NIC: `<vm>-eth<N>` by its number, `<vm>-<net>` for the first one on its network, and
/// `<vm>-<net>-<N>` by how many are on that before it. Those that no name server can hold are left out.
pub(crate) fn names_of_nic(vm: &str, number: usize, net: &str, earlier: usize) -> Vec<String> {
    let mut names = vec![format!("{vm}-eth{number}")];
    if earlier == 0 {
        names.push(format!("{vm}-{net}"));
    }
    names.push(format!("{vm}-{net}-{earlier}"));
    names.retain(|name| name.len() <= LONGEST);
    names
}

fn nic_names<'a, A: Copy>(vm: &'a PlannedVm, family: &Family<A>) -> Vec<Record<'a, A>> {
    let mut records = Vec::new();
    for (index, nic) in vm.nics.iter().enumerate() {
        let Some(address) = (family.of_nic)(nic) else { continue };
        let earlier = vm.nics[..index].iter().filter(|other| other.net == nic.net).count();
        let names = names_of_nic(&vm.name, index, &nic.net, earlier);
        records.extend(names.into_iter().map(|name| Record {
            net: &nic.net,
            name,
            address,
            source: ["domains", &vm.name, "nics", &index.to_string()].map(str::to_owned).to_vec(),
            owner: format!("a NIC of {:?} on {:?}", vm.name, nic.net),
        }));
    }
    records
}

fn report_clash<A>(file: &InitFile, record: &Record<'_, A>, owner: &str, report: &Report<'_>) {
    let source: Vec<&str> = record.source.iter().map(String::as_str).collect();
    report.mistake(
        file.origin.mark(&source),
        format!("the name {:?} would belong to {owner} and to {}", record.name, record.owner),
        "rename one of the two",
    );
}
