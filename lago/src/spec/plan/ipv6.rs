//! Chooses the IPv6 subnets, and gives every NIC in one an address.

use std::collections::HashSet;
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::spec::InitFile;
use crate::spec::ipv6::{PREFIX_LENGTH, first_host, host};
use crate::spec::types::Ipv6Subnet;

use super::{Plan, PlannedIpv6, PlannedNet, PlannedNic};

/// What unique local addresses begin with that nobody gives out (RFC 4193).
const UNIQUE_LOCAL: u8 = 0xfd;

/// Where addresses are looked for that do not follow from the IPv4 address: beyond all that do.
const ABOVE_IPV4: u64 = 1 << 32;

/// The bit of a hardware address that says whose it is; it is inverted in an address that is made of it.
const LOCALLY_ADMINISTERED: u8 = 0x02;

/// The subnets and addresses of the file stay. The other subnets are of a range that is the prefix's own, and the other
/// addresses have the number that the NIC's IPv4 address has in its subnet, so that `192.168.200.10` and `fd..::a` are
/// easily seen to be one machine's.
pub(super) fn assign(file: &InitFile, id: Uuid, plan: &mut Plan) {
    let fixed = file.nets.values().filter_map(|net| match net.ipv6? {
        Ipv6Subnet::Fixed { subnet, .. } => Some(subnet),
        Ipv6Subnet::Planned => None,
    });
    let fixed: HashSet<Ipv6Net> = fixed.collect();
    let mut free = local_subnets(id).filter(|subnet| !fixed.contains(subnet));
    for net in &mut plan.nets {
        net.ipv6 =
            file.nets.get(&net.name).and_then(|spec| spec.ipv6).and_then(|ipv6| match ipv6 {
                Ipv6Subnet::Fixed { subnet, gateway } => Some(PlannedIpv6 { subnet, gateway }),
                Ipv6Subnet::Planned => {
                    free.next().map(|subnet| PlannedIpv6 { subnet, gateway: first_host(subnet) })
                }
            });
    }
    let gateways = plan.nets.iter().filter_map(|net| Some(net.ipv6?.gateway));
    let written = plan.vms.iter().flat_map(|vm| &vm.nics).filter_map(|nic| nic.ip6);
    let mut used: HashSet<Ipv6Addr> = gateways.chain(written).collect();
    for nic in plan.vms.iter_mut().flat_map(|vm| &mut vm.nics) {
        let net = plan.nets.iter().find(|net| net.name == nic.net);
        nic.ip6 = nic.ip6.or_else(|| free_address(net?, nic, &used));
        used.extend(nic.ip6);
    }
}

/// The address that a guest makes itself of its hardware address and of what the network's router announces (RFC 4862; RFC
/// 4291, appendix A).
pub(crate) fn autoconfigured(net: &PlannedNet, mac: &str) -> Option<Ipv6Addr> {
    let PlannedIpv6 { subnet, .. } = net.ipv6?;
    Some(host(subnet, interface_identifier(mac)?))
}

/// The last 64 bits of such an address.
fn interface_identifier(mac: &str) -> Option<u64> {
    let bytes = mac.split(':').map(|byte| u8::from_str_radix(byte, 16));
    let mut bytes: [u8; 6] = bytes.collect::<Result<Vec<_>, _>>().ok()?.try_into().ok()?;
    bytes[0] ^= LOCALLY_ADMINISTERED;
    let (maker, serial) = bytes.split_at(3);
    let identifier = [maker, &[0xff, 0xfe], serial].concat().try_into().ok()?;
    Some(u64::from_be_bytes(identifier))
}

/// The /64s of the /48 that is this prefix's, in their order.
fn local_subnets(id: Uuid) -> impl Iterator<Item = Ipv6Net> {
    let digest = Sha256::digest(id.as_bytes());
    (0..=u16::MAX).map(move |number| {
        let mut octets = [0; 16];
        octets[0] = UNIQUE_LOCAL;
        octets[1..6].copy_from_slice(&digest[..5]);
        octets[6..8].copy_from_slice(&number.to_be_bytes());
        Ipv6Net::new_assert(octets.into(), PREFIX_LENGTH)
    })
}

fn free_address(net: &PlannedNet, nic: &PlannedNic, used: &HashSet<Ipv6Addr>) -> Option<Ipv6Addr> {
    let PlannedIpv6 { subnet, .. } = net.ipv6?;
    let number = u32::from(nic.ip) - u32::from(net.subnet.network());
    let numbers = [u64::from(number)].into_iter().chain(ABOVE_IPV4..);
    numbers.map(|number| host(subnet, number)).find(|ip| !used.contains(ip))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 4291, appendix A, with digits for its letters.
    #[test]
    fn an_address_is_made_of_a_hardware_address() {
        assert_eq!(interface_identifier("34:56:78:9a:bc:de"), Some(0x3656_78ff_fe9a_bcde));
        assert_eq!(interface_identifier("54:52:c0:a8:5b:02"), Some(0x5652_c0ff_fea8_5b02));
        assert_eq!(interface_identifier("54:52"), None);
    }
}
