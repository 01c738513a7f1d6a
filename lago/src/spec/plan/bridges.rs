//! Puts the networks together and names their bridges.

use std::collections::HashSet;

use indexmap::IndexMap;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::spec::InitFile;

use super::PlannedNet;
use super::subnets::Addresses;

/// How much of a network's name its bridge shows. With a dash and the eight digits of the hash that makes 15, the most
/// that Linux takes for a network device.
const READABLE: usize = 6;

/// The DNS domain of networks for management that name none, as in Lago.
const DEFAULT_DOMAIN: &str = "lago.local";

/// The planned networks, still without IPv6 and names of machines.
pub(super) fn connect(
    file: &InitFile,
    id: Uuid,
    subnets: &IndexMap<&str, Addresses>,
) -> Vec<PlannedNet> {
    let mut bridges = HashSet::new();
    let mut nets = Vec::new();
    for (name, net) in &file.nets {
        let Some(addresses) = subnets.get(name.as_str()) else { continue };
        let domain = net.dns_domain_name.clone();
        let bridge = net.bridge.clone();
        nets.push(PlannedNet {
            name: name.clone(),
            kind: net.kind,
            subnet: addresses.subnet,
            gateway: addresses.gateway,
            dhcp: addresses.dhcp,
            ipv6: None,
            uplink: net.uplink,
            joins_bridge: bridge.is_some(),
            bridge: bridge.unwrap_or_else(|| unused_name(id, name, &mut bridges)),
            stp: net.stp,
            domain: domain.or_else(|| net.management.then(|| DEFAULT_DOMAIN.to_owned())),
            management: net.management,
            mapping: IndexMap::new(),
            mapping6: IndexMap::new(),
            mtu: net.mtu,
        });
    }
    nets
}

fn unused_name(id: Uuid, net: &str, used: &mut HashSet<String>) -> String {
    let names = (0_u32..).map(|attempt| name(id, net, attempt));
    let free = names.skip_while(|name| used.contains(name)).take(1).collect::<String>();
    used.insert(free.clone());
    free
}

fn name(id: Uuid, net: &str, attempt: u32) -> String {
    let readable: String = net.chars().filter(char::is_ascii_alphanumeric).take(READABLE).collect();
    let digest = Sha256::new()
        .chain_update(id.as_bytes())
        .chain_update(attempt.to_be_bytes())
        .chain_update(net.as_bytes())
        .finalize();
    let hash = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    format!("{}-{hash:08x}", readable.to_lowercase())
}
