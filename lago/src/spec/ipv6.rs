//! The IPv6 side of networks: what the file says of it, and whether it fits together.

use std::collections::HashMap;
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;

use super::InitFile;
use super::diagnostic::{Mark, Report};
use super::fields::{Fields, bool_of};
use super::tree::Value;
use super::types::{Ipv6Subnet, Net};

/// The length of a subnet's prefix. Guests make addresses of their own only in such a one (RFC 4862).
pub(super) const PREFIX_LENGTH: u8 = 64;

/// What to write for a subnet.
const HELP: &str =
    "write `true` to have a subnet planned, or a subnet of 64 bits such as fd00:1::/64";

/// `ipv6` of a network: whether it has IPv6 at all, or its subnet, with the address of the gateway if it is another than
/// the first.
pub(super) fn read(fields: &Fields<'_>) -> Option<Ipv6Subnet> {
    let node = &fields.get("ipv6")?.node;
    let text = match &node.value {
        Value::Bool(wanted) => return wanted.then_some(Ipv6Subnet::Planned),
        Value::String(text) => text,
        other => {
            fields.mistake(node.at, format!("`ipv6` is {}", other.describe()), HELP);
            return None;
        }
    };
    if let Some(wanted) = bool_of(text) {
        return wanted.then_some(Ipv6Subnet::Planned);
    }
    match text.parse::<Ipv6Net>() {
        Ok(net) if net.prefix_len() == PREFIX_LENGTH => fixed(fields, net, node.at),
        Ok(net) => {
            let message =
                format!("a subnet with a prefix of {} bits is of no use", net.prefix_len());
            fields.mistake(node.at, message, HELP);
            None
        }
        Err(_) => {
            fields.mistake(node.at, format!("`ipv6` is {text:?}, which is no IPv6 subnet"), HELP);
            None
        }
    }
}

fn fixed(fields: &Fields<'_>, net: Ipv6Net, at: Mark) -> Option<Ipv6Subnet> {
    let subnet = net.trunc();
    if let Some(reason) = unusable(net.addr()) {
        let message = format!("{subnet} has {reason}, which guests cannot use");
        fields.mistake(
            at,
            message,
            "write a subnet of unique local addresses, such as fd00:1::/64",
        );
        return None;
    }
    let gateway = if net.addr() == subnet.network() { first_host(subnet) } else { net.addr() };
    Some(Ipv6Subnet::Fixed { subnet, gateway })
}

/// The first address of a subnet that a machine can have: the one before means any router of it (RFC 4291).
pub(super) fn first_host(subnet: Ipv6Net) -> Ipv6Addr {
    host(subnet, 1)
}

/// The address of this number in a subnet.
pub(super) fn host(subnet: Ipv6Net, number: u64) -> Ipv6Addr {
    Ipv6Addr::from(u128::from(subnet.network()) | u128::from(number))
}

/// Why addresses cannot be those of guests anywhere.
fn unusable(address: Ipv6Addr) -> Option<&'static str> {
    if address.is_multicast() {
        Some("multicast addresses")
    } else if address.is_unicast_link_local() {
        Some("link-local addresses")
    } else if address.segments()[..4] == [0; 4] {
        Some("addresses that are reserved")
    } else {
        None
    }
}

/// Reports what does not fit.
pub(super) fn check(file: &InitFile, report: &Report<'_>) {
    subnets(file, report);
    addresses(file, report);
}

fn subnets(file: &InitFile, report: &Report<'_>) {
    let mut owners = HashMap::new();
    for (name, net) in &file.nets {
        let Some((subnet, _)) = fixed_of(net) else { continue };
        if let Some(other) = owners.insert(subnet, name) {
            report.mistake(
                file.origin.mark(&["nets", name, "ipv6"]),
                format!("the nets {other:?} and {name:?} are both {subnet}"),
                "write another subnet into one of the two",
            );
        }
    }
}

fn fixed_of(net: &Net) -> Option<(Ipv6Net, Ipv6Addr)> {
    match net.ipv6? {
        Ipv6Subnet::Fixed { subnet, gateway } => Some((subnet, gateway)),
        Ipv6Subnet::Planned => None,
    }
}

fn addresses(file: &InitFile, report: &Report<'_>) {
    let mut owners = HashMap::new();
    for (domain, spec) in &file.domains {
        for (index, nic) in spec.nics.iter().enumerate() {
            let (Some(ip), Some(net)) = (nic.ip6, file.nets.get(&nic.net)) else { continue };
            let position = index.to_string();
            let at = file.origin.mark(&["domains", domain, "nics", &position, "ip6"]);
            if let Some(other) = owners.insert(ip, domain) {
                report.mistake(
                    at,
                    format!("{ip} is the address of a NIC of {other:?} already"),
                    "write another address, or remove `ip6` to have one planned",
                );
            } else if let Some((message, help)) = misfit(ip, &nic.net, net) {
                report.mistake(at, message, help);
            }
        }
    }
}

/// What is wrong with an address in a network, and what to write instead.
fn misfit(ip: Ipv6Addr, name: &str, net: &Net) -> Option<(String, String)> {
    let Some((subnet, gateway)) = fixed_of(net) else {
        let message = format!("the net {name:?} does not say in which IPv6 subnet {ip} is");
        let help = format!("write `ipv6: {}` into the net, or remove `ip6`", subnet_around(ip));
        return Some((message, help));
    };
    let message = if !subnet.contains(&ip) {
        format!("{ip} is outside of the net {name:?}, which is {subnet}")
    } else if ip == subnet.network() {
        format!("{ip} is an address that the net {name:?} ({subnet}) keeps for itself")
    } else if ip == gateway {
        format!("{ip} is the gateway of the net {name:?}")
    } else {
        return None;
    };
    Some((message, "write another address, or remove `ip6` to have one planned".to_owned()))
}

fn subnet_around(ip: Ipv6Addr) -> Ipv6Net {
    Ipv6Net::new_assert(ip, PREFIX_LENGTH).trunc()
}
