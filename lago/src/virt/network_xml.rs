//! The description of a network, as libvirt wants it: <https://libvirt.org/formatnetwork.html>.

use std::net::Ipv4Addr;

use indexmap::IndexMap;
use ipnet::Ipv4Net;

use super::xml::Element;

/// Everything that a network's description is made of. A pure value: [`NetworkDescription::to_xml`] does no I/O.
#[derive(Debug, Clone)]
pub struct NetworkDescription {
    /// The name under which libvirt knows the network.
    pub name: String,
    /// The bridge device, at most 15 characters.
    pub bridge: String,
    /// The hardware address of the host on it. Guests remember it, also those that a snapshot or a fork brings back onto
    /// a network that was made anew.
    pub mac: String,
    /// The largest packet, in bytes; the usual 1500 if absent.
    pub mtu: Option<u32>,
    /// What connects the guests beyond each other.
    pub kind: NetworkKind,
}

/// What connects the guests of a network beyond each other.
#[derive(Debug, Clone)]
pub enum NetworkKind {
    /// libvirt makes the bridge, hands out the addresses and answers for the names.
    Nat {
        /// The gateway's address with the prefix length of the subnet.
        gateway: Ipv4Addr,
        /// The subnet.
        subnet: Ipv4Net,
        /// Addresses for guests that have no lease of their own, both ends included.
        range: Option<(Ipv4Addr, Ipv4Addr)>,
        /// One lease for every NIC.
        leases: Vec<Lease>,
        /// Names that resolve inside the network.
        names: IndexMap<String, Ipv4Addr>,
        /// The DNS domain that belongs to this network alone.
        domain: Option<String>,
    },
    /// libvirt makes the bridge and nothing else: no gateway, no leases, no names.
    Bridge,
}

/// A static DHCP lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The hardware address that it is for.
    pub mac: String,
    /// The name that the guest gets. No two leases that are given to a network while it is up have the same.
    pub name: Option<String>,
    /// The address that the guest gets.
    pub ip: Ipv4Addr,
}

impl NetworkDescription {
    /// The description as a document for `virNetworkCreateXML`.
    pub fn to_xml(&self) -> String {
        let network = Element::new("network").child(Element::text("name", &self.name));
        match &self.kind {
            NetworkKind::Bridge => {
                network.child(self.bridge()).child(self.mac()).children(self.mtu())
            }
            NetworkKind::Nat { gateway, subnet, range, leases, names, domain } => network
                .child(Element::new("forward").attribute("mode", "nat"))
                .child(self.bridge())
                .child(self.mac())
                .children(self.mtu())
                .children(domain.as_ref().map(|domain| {
                    Element::new("domain").attribute("name", domain).attribute("localOnly", "yes")
                }))
                .children(dns(names))
                .child(
                    Element::new("ip")
                        .attribute("address", gateway)
                        .attribute("prefix", subnet.prefix_len())
                        .child(dhcp(*range, leases)),
                ),
        }
        .to_document()
    }

    /// With the spanning tree protocol, a port forwards nothing for its first seconds.
    fn bridge(&self) -> Element {
        Element::new("bridge")
            .attribute("name", &self.bridge)
            .attribute("stp", "off")
            .attribute("delay", 0)
    }

    fn mac(&self) -> Element {
        Element::new("mac").attribute("address", &self.mac)
    }

    fn mtu(&self) -> Option<Element> {
        self.mtu.map(|mtu| Element::new("mtu").attribute("size", mtu))
    }
}

fn dns(names: &IndexMap<String, Ipv4Addr>) -> Option<Element> {
    let mut by_address: IndexMap<Ipv4Addr, Vec<&str>> = IndexMap::new();
    for (name, address) in names {
        by_address.entry(*address).or_default().push(name);
    }
    if by_address.is_empty() {
        return None;
    }
    let hosts = by_address.into_iter().map(|(address, names)| {
        Element::new("host")
            .attribute("ip", address)
            .children(names.into_iter().map(|name| Element::text("hostname", name)))
    });
    Some(Element::new("dns").children(hosts))
}

fn dhcp(range: Option<(Ipv4Addr, Ipv4Addr)>, leases: &[Lease]) -> Element {
    Element::new("dhcp")
        .children(range.map(|(start, end)| {
            Element::new("range").attribute("start", start).attribute("end", end)
        }))
        .children(leases.iter().map(Lease::to_element))
}

impl Lease {
    /// The description of the lease alone, for a network that is up.
    pub(super) fn to_xml(&self) -> String {
        self.to_element().to_document()
    }

    fn to_element(&self) -> Element {
        let host = Element::new("host").attribute("mac", &self.mac);
        let host = self.name.iter().fold(host, |host, name| host.attribute("name", name));
        host.attribute("ip", self.ip)
    }
}

#[cfg(test)]
mod tests {
    use super::{Lease, NetworkDescription, NetworkKind};

    #[test]
    fn nat_network() {
        let network = NetworkDescription {
            name: "lago".into(),
            bridge: "lgo-1f00a2".into(),
            mac: "54:52:c0:a8:c8:01".into(),
            mtu: Some(9000),
            kind: NetworkKind::Nat {
                gateway: [192, 168, 200, 1].into(),
                subnet: "192.168.200.0/24".parse().unwrap(),
                range: Some(([192, 168, 200, 100].into(), [192, 168, 200, 254].into())),
                leases: vec![Lease {
                    mac: "54:52:c0:a8:c8:02".into(),
                    name: Some("server".into()),
                    ip: [192, 168, 200, 2].into(),
                }],
                names: [
                    ("server".to_owned(), [192, 168, 200, 2].into()),
                    ("server-eth0".to_owned(), [192, 168, 200, 2].into()),
                    ("storage".to_owned(), [192, 168, 200, 9].into()),
                ]
                .into(),
                domain: Some("lago.local".into()),
            },
        };
        insta::assert_snapshot!(network.to_xml());
    }

    #[test]
    fn bridge_network() {
        let network = NetworkDescription {
            name: "lab".into(),
            bridge: "br0".into(),
            mac: "54:52:c0:a8:c9:01".into(),
            mtu: None,
            kind: NetworkKind::Bridge,
        };
        insta::assert_snapshot!(network.to_xml());
    }
}
