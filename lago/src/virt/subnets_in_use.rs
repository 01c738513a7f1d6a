//! Which subnets are in use where libvirt runs, whoever uses them.

use std::net::Ipv4Addr;
use std::sync::Arc;

use ipnet::Ipv4Net;
use serde::Deserialize;
use xmltree::Element;

use super::VirtError;
use super::connection::{Connection, QUESTION_LIMIT};
use crate::Result;
use crate::utils::{CommandOutput, HostCommand};

/// A route that somebody has made is in the way of a network when it is at least as narrow. Wider ones, as to all that is
/// behind a VPN, are not meant for the few addresses that a network takes from them.
const NARROW: u8 = 24;

/// The subnets of libvirt's networks, those that are down included, and of this machine's interfaces and routes when
/// libvirt runs on it.
pub(crate) fn subnets_in_use(connection: &Arc<Connection>) -> Result<Vec<Ipv4Net>> {
    let mut subnets = of_networks(connection)?;
    if is_local(&connection.host().libvirt_uri().map_err(VirtError::from)?) {
        let routes = HostCommand::new("ip").args(["-j", "-4", "route", "show"]).run()?;
        subnets.extend(of_routes(&routes));
    }
    subnets.sort();
    subnets.dedup();
    Ok(subnets)
}

fn of_networks(connection: &Arc<Connection>) -> Result<Vec<Ipv4Net>, VirtError> {
    let descriptions = connection.call(QUESTION_LIMIT, |connect| {
        let networks = connect.list_all_networks(0)?;
        // One that goes meanwhile uses nothing any more.
        Ok::<_, virt::error::Error>(
            networks.iter().filter_map(|network| network.xml_desc(0).ok()).collect::<Vec<_>>(),
        )
    })?;
    let descriptions = descriptions
        .map_err(|error| VirtError::Networks { message: error.message().to_owned() })?;
    Ok(descriptions.iter().flat_map(|xml| of_network(xml)).collect())
}

/// The IPv4 subnets in libvirt's description of a network.
fn of_network(xml: &str) -> Vec<Ipv4Net> {
    let Ok(network) = Element::parse(xml.as_bytes()) else { return Vec::new() };
    let elements = network.children.iter().filter_map(|child| child.as_element());
    elements.filter(|element| element.name == "ip").filter_map(subnet_of).collect()
}

fn subnet_of(ip: &Element) -> Option<Ipv4Net> {
    let attribute = |name: &str| ip.attributes.get(name);
    let address: Ipv4Addr = attribute("address")?.parse().ok()?;
    let net = match (attribute("prefix"), attribute("netmask")) {
        (Some(length), _) => Ipv4Net::new(address, length.parse().ok()?).ok()?,
        (None, Some(mask)) => Ipv4Net::with_netmask(address, mask.parse().ok()?).ok()?,
        (None, None) => Ipv4Net::new(address, 24).ok()?,
    };
    Some(net.trunc())
}

/// A route as `ip -j route` prints it.
#[derive(Deserialize)]
struct Route {
    dst: String,
    /// Who has made it; the kernel makes those to the subnets of the interfaces.
    #[serde(default)]
    protocol: String,
}

fn of_routes(printed: &CommandOutput) -> Vec<Ipv4Net> {
    let routes: Vec<Route> = serde_json::from_slice(&printed.stdout).unwrap_or_default();
    let in_the_way = |route: Route| {
        let net: Ipv4Net = route.dst.parse().ok()?;
        (route.protocol == "kernel" || net.prefix_len() >= NARROW).then_some(net)
    };
    routes.into_iter().filter_map(in_the_way).collect()
}

/// Whether a URI names no other machine.
fn is_local(uri: &str) -> bool {
    uri.split_once("://").is_none_or(|(_, rest)| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;
    use crate::host::Host;

    #[test]
    fn networks_say_their_subnets_in_several_ways() {
        let of = |ip: &str| of_network(&format!("<network><name>n</name>{ip}</network>"));
        let subnet = |text: &str| vec![text.parse::<Ipv4Net>().unwrap()];
        assert_eq!(of("<ip address='10.9.9.1' prefix='22'/>"), subnet("10.9.8.0/22"));
        assert_eq!(of("<ip address='10.9.9.1' netmask='255.255.0.0'/>"), subnet("10.9.0.0/16"));
        assert_eq!(
            of("<ip family='ipv4' address='10.9.9.1' prefix='24'><dhcp/></ip>"),
            subnet("10.9.9.0/24")
        );
        assert_eq!(of("<ip family='ipv6' address='fd00::1' prefix='64'/>"), []);
        assert_eq!(of("<forward mode='bridge'/><bridge name='br0'/>"), []);
        assert_eq!(of_network("no description"), []);
    }

    #[test]
    fn routes_to_a_vpn_are_in_nobodys_way() {
        let stdout = br#"[{"dst":"default","gateway":"10.0.0.1"},
            {"dst":"10.0.0.0/8","dev":"eth0","protocol":"kernel"},
            {"dst":"192.168.0.0/16","gateway":"10.0.0.2"},
            {"dst":"192.168.210.0/24","gateway":"10.0.0.2","protocol":"static"},
            {"dst":"192.168.7.7","dev":"tun0"}]"#;
        let printed = CommandOutput {
            status: ExitStatus::from_raw(0),
            stdout: stdout.to_vec(),
            stderr: Vec::new(),
        };
        let found: Vec<String> = of_routes(&printed).iter().map(Ipv4Net::to_string).collect();
        assert_eq!(found, ["10.0.0.0/8", "192.168.210.0/24"]);
    }

    #[test]
    fn uris_of_other_machines_are_told_apart() {
        for uri in ["qemu:///system", "qemu+unix:///system?socket=/x", "test:///default"] {
            assert!(is_local(uri), "{uri}");
        }
        for uri in ["qemu+ssh://root@lab/system", "qemu://lab.example/system"] {
            assert!(!is_local(uri), "{uri}");
        }
    }

    #[test]
    fn a_libvirt_is_asked_for_its_networks() {
        let connection = Arc::new(Connection::new(Host::uri("test:///default")));
        let subnets = subnets_in_use(&connection).unwrap();
        assert!(subnets.contains(&"192.168.122.0/24".parse().unwrap()), "{subnets:?}");
    }
}
