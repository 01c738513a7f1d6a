//! The description of a network, as libvirt wants it: <https://libvirt.org/formatnetwork.html>.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use indexmap::{IndexMap, IndexSet};
use ipnet::{Ipv4Net, Ipv6Net};

use super::xml::Element;

/// The namespace of what libvirt passes on to dnsmasq as it is.
const DNSMASQ: &str = "http://libvirt.org/schemas/network/dnsmasq/1.0";

/// Everything that a network's description is made of. A pure value: [`NetworkDescription::to_xml`] does no I/O.
#[derive(Debug, Clone)]
pub struct NetworkDescription {
    /// The name under which libvirt knows the network.
    pub name: String,
    /// The bridge device, at most 15 characters.
    pub bridge: String,
    /// What connects the guests beyond each other.
    pub kind: NetworkKind,
}

/// What connects the guests of a network beyond each other.
#[derive(Debug, Clone)]
pub enum NetworkKind {
    /// libvirt makes the bridge, hands out the addresses and answers for the names.
    Nat(BridgeDevice, Box<Services>),
    /// libvirt makes the bridge and nothing else: no gateway, no leases, no names.
    Bridge(BridgeDevice),
    /// The guests join a bridge that is there already.
    Joined,
}

/// A bridge that libvirt makes.
#[derive(Debug, Clone)]
pub struct BridgeDevice {
    /// The hardware address of the host on it. Guests remember it, also those that a snapshot or a fork brings back onto
    /// a network that was made anew.
    pub mac: String,
    /// The largest packet, in bytes; the usual 1500 if absent.
    pub mtu: Option<u32>,
    /// Whether it takes part in the spanning tree protocol.
    pub stp: bool,
}

/// What the host does for the guests of a network.
#[derive(Debug, Clone)]
pub struct Services {
    /// Who lets packets pass to and from elsewhere.
    pub forward: Forward,
    /// The gateway's address.
    pub gateway: Ipv4Addr,
    /// The subnet.
    pub subnet: Ipv4Net,
    /// The IPv6 subnet and the gateway's address in it.
    pub ipv6: Option<(Ipv6Net, Ipv6Addr)>,
    /// Addresses for guests that have no lease of their own, both ends included.
    pub range: Option<(Ipv4Addr, Ipv4Addr)>,
    /// One lease for every NIC.
    pub leases: Vec<Lease>,
    /// Names that resolve inside the network, by their addresses, as libvirt's records spell them.
    pub names: IndexMap<IpAddr, IndexSet<String>>,
    /// Who is asked for all other names, instead of the servers that the host asks.
    pub name_server: Option<IpAddr>,
    /// The name server knows the names here alone, and asks nobody for others.
    pub asks_nobody: bool,
    /// The DNS domain that belongs to this network alone.
    pub domain: Option<String>,
}

/// Who lets packets pass between a network and what is beyond its gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forward {
    /// libvirt, which translates the guests' addresses to the host's and keeps others out.
    Nat,
    /// Whoever has rules about it: libvirt makes none.
    Open,
    /// Nobody.
    No,
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
        let network = Element::new("network");
        let name = Element::text("name", &self.name);
        match &self.kind {
            NetworkKind::Joined => network
                .child(name)
                .child(Element::new("forward").attribute("mode", "bridge"))
                .child(Element::new("bridge").attribute("name", &self.bridge)),
            NetworkKind::Bridge(device) => {
                network.child(name).children(device.to_elements(&self.bridge))
            }
            NetworkKind::Nat(device, services) => {
                let options = services.options_of_dnsmasq();
                let network = match options {
                    Some(_) => network.attribute("xmlns:dnsmasq", DNSMASQ),
                    None => network,
                };
                network
                    .child(name)
                    .children(services.forward())
                    .children(device.to_elements(&self.bridge))
                    .children(services.to_elements())
                    .children(options)
            }
        }
        .to_document()
    }
}

impl BridgeDevice {
    /// With the spanning tree protocol, a port forwards nothing for its first seconds.
    fn to_elements(&self, name: &str) -> impl Iterator<Item = Element> {
        let bridge = Element::new("bridge")
            .attribute("name", name)
            .attribute("stp", if self.stp { "on" } else { "off" })
            .attribute("delay", 0);
        let mac = Element::new("mac").attribute("address", &self.mac);
        let mtu = self.mtu.map(|mtu| Element::new("mtu").attribute("size", mtu));
        [bridge, mac].into_iter().chain(mtu)
    }
}

impl Services {
    fn forward(&self) -> Option<Element> {
        let forward = |mode: &str| Element::new("forward").attribute("mode", mode);
        match self.forward {
            Forward::No => None,
            Forward::Open => Some(forward("open")),
            Forward::Nat => {
                let nat = self.ipv6.map(|_| Element::new("nat").attribute("ipv6", "yes"));
                Some(forward("nat").children(nat))
            }
        }
    }

    fn to_elements(&self) -> impl Iterator<Item = Element> {
        let domain = self.domain.as_ref().map(|domain| {
            Element::new("domain").attribute("name", domain).attribute("localOnly", "yes")
        });
        let ip = Element::new("ip")
            .attribute("address", self.gateway)
            .attribute("prefix", self.subnet.prefix_len())
            .child(self.dhcp());
        let ip6 = self.ipv6.map(|(subnet, gateway)| {
            Element::new("ip")
                .attribute("family", "ipv6")
                .attribute("address", gateway)
                .attribute("prefix", subnet.prefix_len())
        });
        domain.into_iter().chain(self.dns()).chain([ip]).chain(ip6)
    }

    fn dns(&self) -> Option<Element> {
        let forwarder =
            self.name_server.map(|server| Element::new("forwarder").attribute("addr", server));
        let hosts = self
            .names
            .iter()
            .map(|(address, names)| host(*address, names.iter().map(String::as_str)));
        let content: Vec<Element> = forwarder.into_iter().chain(hosts).collect();
        (!content.is_empty()).then(|| Element::new("dns").children(content))
    }

    /// What dnsmasq is told directly.
    fn options_of_dnsmasq(&self) -> Option<Element> {
        // Otherwise it asks whom the machine asks, and a question can carry anything out.
        self.asks_nobody.then(|| {
            let alone = Element::new("dnsmasq:option").attribute("value", "no-resolv");
            Element::new("dnsmasq:options").child(alone)
        })
    }

    fn dhcp(&self) -> Element {
        Element::new("dhcp")
            .children(self.range.map(|(start, end)| {
                Element::new("range").attribute("start", start).attribute("end", end)
            }))
            .children(self.leases.iter().map(Lease::to_element))
    }
}

/// libvirt's record of the names of an address; without names it stands for any record of that address.
pub(super) fn host<'a>(address: IpAddr, names: impl Iterator<Item = &'a str>) -> Element {
    Element::new("host")
        .attribute("ip", address)
        .children(names.map(|name| Element::text("hostname", name)))
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
    use super::*;

    fn device() -> BridgeDevice {
        BridgeDevice { mac: "54:52:c0:a8:c8:01".into(), mtu: None, stp: false }
    }

    fn records(records: &[(&str, &[&str])]) -> IndexMap<IpAddr, IndexSet<String>> {
        let record = |(address, names): &(&str, &[&str])| {
            (address.parse().unwrap(), names.iter().map(|name| (*name).to_owned()).collect())
        };
        records.iter().map(record).collect()
    }

    fn services() -> Services {
        Services {
            forward: Forward::Nat,
            gateway: [192, 168, 200, 1].into(),
            subnet: "192.168.200.0/24".parse().unwrap(),
            ipv6: None,
            range: Some(([192, 168, 200, 100].into(), [192, 168, 200, 254].into())),
            leases: vec![Lease {
                mac: "54:52:c0:a8:c8:02".into(),
                name: Some("server".into()),
                ip: [192, 168, 200, 2].into(),
            }],
            names: records(&[
                ("192.168.200.2", &["server", "server-eth0"]),
                ("192.168.200.9", &["storage"]),
            ]),
            name_server: None,
            asks_nobody: true,
            domain: Some("lago.local".into()),
        }
    }

    fn xml(kind: NetworkKind) -> String {
        NetworkDescription { name: "lago".into(), bridge: "lgo-1f00a2".into(), kind }.to_xml()
    }

    #[test]
    fn nat_network() {
        let device = BridgeDevice { mtu: Some(9000), ..device() };
        insta::assert_snapshot!(xml(NetworkKind::Nat(device, Box::new(services()))));
    }

    #[test]
    fn network_with_ipv6() {
        let subnet: Ipv6Net = "fd00:1::/64".parse().unwrap();
        let services = Services {
            forward: Forward::Open,
            ipv6: Some((subnet, "fd00:1::1".parse().unwrap())),
            names: records(&[
                ("192.168.200.2", &["server", "server-eth0"]),
                ("fd00:1::2", &["server.", "server.lago.local."]),
                ("fd00:1::9", &["registry.example."]),
            ]),
            name_server: Some([169, 254, 88, 1].into()),
            asks_nobody: false,
            ..services()
        };
        insta::assert_snapshot!(xml(NetworkKind::Nat(device(), Box::new(services))));
    }

    #[test]
    fn who_forwards_is_said_to_libvirt() {
        let forward = |services: Services| {
            let xml = xml(NetworkKind::Nat(device(), Box::new(services)));
            xml.lines()
                .filter(|line| line.contains("forward ") || line.contains("<nat"))
                .map(str::trim)
                .collect::<String>()
        };
        let ipv6 = Some(("fd00:1::/64".parse().unwrap(), "fd00:1::1".parse().unwrap()));
        assert_eq!(forward(services()), r#"<forward mode="nat"/>"#);
        assert_eq!(
            forward(Services { ipv6, ..services() }),
            r#"<forward mode="nat"><nat ipv6="yes"/>"#
        );
        assert_eq!(
            forward(Services { forward: Forward::Open, ..services() }),
            r#"<forward mode="open"/>"#
        );
        assert_eq!(forward(Services { forward: Forward::No, ..services() }), "");
    }

    #[test]
    fn bridge_network() {
        insta::assert_snapshot!(xml(NetworkKind::Bridge(BridgeDevice { stp: true, ..device() })));
    }

    #[test]
    fn network_on_a_bridge_of_the_host() {
        insta::assert_snapshot!(xml(NetworkKind::Joined), @r#"
        <network>
          <name>lago</name>
          <forward mode="bridge"/>
          <bridge name="lgo-1f00a2"/>
        </network>
        "#);
    }
}
