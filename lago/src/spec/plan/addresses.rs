//! Gives every NIC an address.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use indexmap::IndexMap;

use crate::spec::InitFile;
use crate::spec::diagnostic::Report;
use crate::spec::net::{first_host, hosts_outside};
use crate::spec::types::{Domain, Nic};

use super::subnets::Addresses;
use super::{PlannedNet, PlannedNic, PlannedVm};

/// What begins every hardware address, as in Lago; the four bytes of the NIC's address follow.
const MAC_PREFIX: [u8; 2] = [0x54, 0x52];

/// The addresses in the file stay; the other NICs get the first ones that are free, in the order of the file.
pub(super) fn assign(
    file: &InitFile,
    subnets: &IndexMap<&str, Addresses>,
    report: &Report<'_>,
) -> Vec<PlannedVm> {
    let fixed = file.domains.values().flat_map(|domain| &domain.nics).filter_map(|nic| nic.ip);
    let mut pools = Pools { subnets, used: fixed.collect() };
    let mut vms = Vec::new();
    for (name, domain) in &file.domains {
        let mut vm = PlannedVm { name: name.clone(), nics: Vec::new() };
        let management = management_nic(file, domain);
        for (index, nic) in domain.nics.iter().enumerate() {
            // A network without a subnet has been reported.
            if !subnets.contains_key(nic.net.as_str()) {
                continue;
            }
            match nic.ip.or_else(|| pools.next(&nic.net)) {
                Some(ip) => vm.nics.push(planned(file, nic, ip, management == Some(index))),
                None => report_exhausted(file, name, index, nic, subnets, report),
            }
        }
        vms.push(vm);
    }
    vms
}

/// The position of the NIC through which a domain is reached.
fn management_nic(file: &InitFile, domain: &Domain) -> Option<usize> {
    domain.nics.iter().position(|nic| file.nets.get(&nic.net).is_some_and(|net| net.management))
}

fn planned(file: &InitFile, nic: &Nic, ip: Ipv4Addr, management: bool) -> PlannedNic {
    let net_mtu = file.nets.get(&nic.net).and_then(|net| net.mtu);
    PlannedNic {
        net: nic.net.clone(),
        ip,
        ip6: nic.ip6,
        mac: mac(ip),
        management,
        mtu: nic.mtu.or(net_mtu),
    }
}

/// The hardware address that goes with an address.
pub(crate) fn mac(ip: Ipv4Addr) -> String {
    let bytes = MAC_PREFIX.into_iter().chain(ip.octets());
    bytes.map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

/// The first address of a network that neither its gateway has, nor DHCP hands out, nor `used` holds.
pub(crate) fn free_address(net: &PlannedNet, used: &HashSet<Ipv4Addr>) -> Option<Ipv4Addr> {
    let PlannedNet { subnet, gateway, dhcp, .. } = net;
    first_free(Addresses { subnet: *subnet, gateway: *gateway, dhcp: *dhcp }, used)
}

fn first_free(addresses: Addresses, used: &HashSet<Ipv4Addr>) -> Option<Ipv4Addr> {
    // The first address is that of a gateway by custom, even where the file names another.
    hosts_outside(addresses.subnet, addresses.dhcp)
        .filter(|ip| *ip != first_host(addresses.subnet) && *ip != addresses.gateway)
        .find(|ip| !used.contains(ip))
}

struct Pools<'a> {
    subnets: &'a IndexMap<&'a str, Addresses>,
    used: HashSet<Ipv4Addr>,
}

impl Pools<'_> {
    /// The first address of a network that neither a NIC nor the gateway has and DHCP does not hand out.
    fn next(&mut self, net: &str) -> Option<Ipv4Addr> {
        let free = first_free(*self.subnets.get(net)?, &self.used)?;
        self.used.insert(free);
        Some(free)
    }
}

fn report_exhausted(
    file: &InitFile,
    domain: &str,
    index: usize,
    nic: &Nic,
    subnets: &IndexMap<&str, Addresses>,
    report: &Report<'_>,
) {
    let addresses = subnets[nic.net.as_str()];
    let help = if addresses.dhcp.is_some() {
        "make its `dhcp` range smaller: addresses in it are never planned"
    } else {
        "write a `gw` with a shorter prefix, such as 10.0.0.1/16, or use another net"
    };
    report.mistake(
        file.origin.mark(&["domains", domain, "nics", &index.to_string()]),
        format!(
            "the net {:?} ({}) has no free address left for {domain:?}",
            nic.net, addresses.subnet
        ),
        help,
    );
}
