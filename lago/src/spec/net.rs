//! Reads one network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use indexmap::IndexMap;
use ipnet::Ipv4Net;

use super::diagnostic::{Mark, Report};
use super::domain::MTU;
use super::fields::{Fields, Known, text_of, texts_of};
use super::ipv6;
use super::tree::{Entry, Value};
use super::types::{Dhcp, DhcpRange, HostAddress, Net, NetKind, Uplink};
use crate::brctl;

const FIELDS: Known = Known {
    documented: &[
        "type",
        "gw",
        "dhcp",
        "management",
        "dns_domain_name",
        "mapping",
        "mtu",
        "ipv6",
        "uplink",
        "bridge",
        "stp",
        "comment",
    ],
    tolerated: &["name", "dns_forward", "dns_records", "main_dns"],
};
const DHCP_FIELDS: Known = Known { documented: &["start", "end"], tolerated: &[] };

/// The length of a subnet's prefix where the file does not say.
pub(super) const PREFIX_LENGTH: u8 = 24;
/// Beyond these a network has no room for a guest, or is larger than 10.0.0.0/8.
const PREFIX_LENGTHS: std::ops::RangeInclusive<u8> = 8..=30;

const KINDS: &[(&str, NetKind)] = &[("nat", NetKind::Nat), ("bridge", NetKind::Bridge)];
const UPLINKS: &[(&str, Uplink)] = &[("none", Uplink::None), ("host", Uplink::Host)];

/// Reads the network `name`. Whether its addresses fit together is checked when all of them are known.
pub(super) fn read(name: &str, entry: &Entry, report: &Report<'_>) -> Net {
    let fields = Fields::open(report, &entry.node, entry.key, "a net", &FIELDS);
    if let Some(written) = fields.string("name").filter(|written| written.value != name) {
        fields.mistake(
            written.at,
            format!("the net {name:?} calls itself {:?}", written.value),
            "remove `name`: the key is the name",
        );
    }
    let kind = fields.word("type", KINDS).unwrap_or(NetKind::Nat);
    let (gateway, subnet) = gateway(&fields).unzip();
    let mtu = fields.number("mtu", "bytes", MTU);
    let (mapping, mapping6) = mapping(&fields, report);
    Net {
        kind,
        subnet,
        gateway,
        dhcp: dhcp(&fields, kind, report),
        management: fields.bool("management").unwrap_or(false),
        dns_domain_name: domain_name(&fields),
        mapping,
        mapping6,
        mtu: mtu.and_then(|mtu| u32::try_from(mtu.value).ok()),
        ipv6: ipv6::read(&fields),
        uplink: uplink(&fields, kind),
        bridge: bridge(&fields, kind),
        stp: fields.bool("stp").unwrap_or(false),
    }
}

fn uplink(fields: &Fields<'_>, kind: NetKind) -> Option<Uplink> {
    let uplink = fields.word("uplink", UPLINKS)?;
    if kind == NetKind::Bridge {
        fields.mistake(
            fields.get("uplink")?.key,
            "a net of `type: bridge` has no way out of its own",
            "remove `uplink`, or write `type: nat`",
        );
    }
    Some(uplink)
}

/// The bridge to join. What its owner decides about it cannot be asked for.
fn bridge(fields: &Fields<'_>, kind: NetKind) -> Option<String> {
    let bridge = fields.string("bridge")?;
    if kind != NetKind::Bridge {
        fields.mistake(
            bridge.at,
            format!("only a net of `type: bridge` can join the bridge {:?}", bridge.value),
            "write `type: bridge`, or remove `bridge` to have one planned",
        );
    }
    if !brctl::is_name(&bridge.value) {
        let longest = brctl::LONGEST_NAME;
        fields.mistake(
            bridge.at,
            format!("no bridge can be called {:?}", bridge.value),
            format!("write a name of at most {longest} letters, digits, `-`, `_` and `.`, as `ip link` shows it"),
        );
    }
    for name in ["stp", "mtu"] {
        if let Some(entry) = fields.get(name) {
            fields.mistake(
                entry.key,
                format!("`{name}` of a bridge that there is already is its owner's to decide"),
                format!("remove `{name}`, or `bridge` to have a bridge of the net's own"),
            );
        }
    }
    Some(bridge.value)
}

/// The gateway, alone or with the length of its subnet's prefix.
fn gateway(fields: &Fields<'_>) -> Option<(Ipv4Addr, Ipv4Net)> {
    let text = fields.string("gw")?;
    let parsed = match text.value.split_once('/') {
        Some(_) => text.value.parse::<Ipv4Net>().ok().map(|net| (net.addr(), net)),
        None => text.value.parse().ok().map(|gateway| (gateway, subnet_around(gateway))),
    };
    let Some((gateway, subnet)) = parsed else {
        fields.mistake(
            text.at,
            format!("`gw` is {:?}, which is no IPv4 address", text.value),
            "write an address such as 192.168.200.1 or 192.168.200.1/24",
        );
        return None;
    };
    if !PREFIX_LENGTHS.contains(&subnet.prefix_len()) {
        let (shortest, longest) = (PREFIX_LENGTHS.start(), PREFIX_LENGTHS.end());
        fields.mistake(
            text.at,
            format!("a subnet with a prefix of {} bits is of no use", subnet.prefix_len()),
            format!("write a prefix length from {shortest} to {longest}, such as /24"),
        );
        return None;
    }
    check_usable(fields, gateway, subnet, text.at);
    Some((gateway, subnet.trunc()))
}

/// The subnet that an address stands in if nothing else is said.
pub(super) fn subnet_around(address: Ipv4Addr) -> Ipv4Net {
    Ipv4Net::new_assert(address, PREFIX_LENGTH).trunc()
}

fn check_usable(fields: &Fields<'_>, gateway: Ipv4Addr, subnet: Ipv4Net, at: Mark) {
    if let Some(reason) = unusable(gateway) {
        fields.mistake(
            at,
            format!("{gateway} is {reason}, which guests cannot use"),
            "write an address of a private network, such as 192.168.200.1",
        );
    } else if gateway == subnet.network() || gateway == subnet.broadcast() {
        fields.mistake(
            at,
            format!("the gateway {gateway} is an address that {} keeps for itself", subnet.trunc()),
            format!("write an address between them, such as {}", first_host(subnet)),
        );
    }
}

/// Why an address cannot be that of a guest anywhere.
pub(super) fn unusable(address: Ipv4Addr) -> Option<&'static str> {
    if address.octets()[0] == 0 {
        Some("an address of \"this network\"")
    } else if address.is_loopback() {
        Some("a loopback address")
    } else if address.is_link_local() {
        Some("a link-local address")
    } else if address.octets()[0] >= 224 {
        Some("a multicast or reserved address")
    } else {
        None
    }
}

/// The first address of a subnet that a machine can have.
pub(super) fn first_host(subnet: Ipv4Net) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(subnet.network()).saturating_add(1))
}

/// The addresses that machines of a subnet can have, in order, without those of a DHCP range.
pub(super) fn hosts_outside(
    subnet: Ipv4Net,
    range: Option<DhcpRange>,
) -> impl Iterator<Item = Ipv4Addr> {
    let first = u32::from(subnet.network()).saturating_add(1);
    let last = u32::from(subnet.broadcast()).saturating_sub(1);
    let (below, above) = match range {
        Some(range) => {
            (u32::from(range.start).saturating_sub(1), u32::from(range.end).saturating_add(1))
        }
        None => (last, u32::MAX),
    };
    (first..=below.min(last)).chain(above.max(first)..=last).map(Ipv4Addr::from)
}

/// The gateway of a network: the one that the file names, or the first address of the subnet.
pub(super) fn gateway_of(net: &Net, subnet: Ipv4Net) -> Ipv4Addr {
    net.gateway.unwrap_or_else(|| first_host(subnet))
}

/// Whether two subnets have an address in common.
pub(crate) fn overlap(one: Ipv4Net, other: Ipv4Net) -> bool {
    one.contains(&other) || other.contains(&one)
}

fn dhcp(fields: &Fields<'_>, kind: NetKind, report: &Report<'_>) -> Option<Dhcp> {
    let entry = fields.get("dhcp")?;
    if kind == NetKind::Bridge {
        fields.mistake(
            entry.key,
            "a net of `type: bridge` has no DHCP server",
            "remove `dhcp`, or write `type: nat`",
        );
    }
    let range = Fields::open(report, &entry.node, entry.key, "a DHCP range", &DHCP_FIELDS);
    let start = bound(&range, "start");
    let end = bound(&range, "end");
    Some(Dhcp { start: start?, end: end? })
}

/// One end of the range: a number, or an address in full.
fn bound(range: &Fields<'_>, name: &str) -> Option<HostAddress> {
    const HELP: &str = "write the last part of an address, such as 100 or 254, or a whole address";
    let text = range.required(name, HELP)?;
    if let Ok(number) = text.value.parse() {
        return Some(HostAddress::Number(number));
    }
    let Ok(address) = text.value.parse() else {
        range.mistake(text.at, format!("`{name}` cannot be {:?}", text.value), HELP);
        return None;
    };
    Some(HostAddress::Address(address))
}

/// Fixes the subnet of a network without `gw` if anything else in the file says it: the address of one of its NICs, or
/// a whole address in `dhcp`.
pub(super) fn infer_subnet(net: &mut Net, addresses: impl IntoIterator<Item = Ipv4Addr>) {
    if net.subnet.is_some() {
        return;
    }
    let bounds = net.dhcp.into_iter().flat_map(|dhcp| [dhcp.start, dhcp.end]);
    let bounds = bounds.filter_map(|bound| match bound {
        HostAddress::Address(address) => Some(address),
        HostAddress::Number(_) => None,
    });
    net.subnet = addresses.into_iter().chain(bounds).next().map(subnet_around);
}

fn domain_name(fields: &Fields<'_>) -> Option<String> {
    let name = fields.string("dns_domain_name")?;
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    if name.value.len() > 253 || !name.value.split('.').all(is_label) {
        fields.mistake(
            name.at,
            format!("{:?} is no DNS domain", name.value),
            "write letters, digits and `-`, with dots between, such as lago.local",
        );
    }
    Some(name.value)
}

/// The names to resolve, of each family. A name has one address of a family.
fn mapping(
    fields: &Fields<'_>,
    report: &Report<'_>,
) -> (IndexMap<String, Ipv4Addr>, IndexMap<String, Ipv6Addr>) {
    let (mut mapping, mut mapping6) = (IndexMap::new(), IndexMap::new());
    for (name, entry) in fields.map("mapping").into_iter().flat_map(|map| &map.entries) {
        if let Err(message) = super::names::check(name) {
            report.mistake(entry.key, message, super::names::help());
        }
        for text in addresses(report, entry, name) {
            let known = match text.parse() {
                Ok(IpAddr::V4(address)) => mapping.insert(name.clone(), address).is_some(),
                Ok(IpAddr::V6(address)) => mapping6.insert(name.clone(), address).is_some(),
                Err(_) => {
                    report.mistake(
                        entry.node.at,
                        format!("`{name}` is {text:?}, which is no IP address"),
                        "write an address such as 192.168.200.10, or [192.168.200.10, fd00:1::10]",
                    );
                    false
                }
            };
            if known {
                report.mistake(
                    entry.node.at,
                    format!("`{name}` has two addresses of one family"),
                    "write one IPv4 address, one IPv6 address, or one of each",
                );
            }
        }
    }
    (mapping, mapping6)
}

/// One address, or a list of them.
fn addresses(report: &Report<'_>, entry: &Entry, name: &str) -> Vec<String> {
    match entry.node.value {
        Value::List(_) => texts_of(report, &entry.node, name),
        _ => text_of(report, &entry.node, name).into_iter().collect(),
    }
}
