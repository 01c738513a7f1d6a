//! Names that the servers of a network answer for: those of the plan, and those that were added later.
//!
//! libvirt has a record for each address, with all of its names. Of a network that is up it changes no record that has an
//! address or a name in common with another one, so a record that changes goes and comes back. A name with an address of
//! each family is in two records all the same: with a dot at its end it is the same name for whoever is asked, and another
//! one for libvirt.

use std::net::IpAddr;
use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};
use serde::{Deserialize, Serialize};
use virt::error::ErrorNumber;
use virt::sys;
use xmltree::{Element, XMLNode};

use super::VirtError;
use super::connection::{CHANGE_LIMIT, Connection, QUESTION_LIMIT};
use super::network_xml::host;
use crate::Result;
use crate::spec::Plan;

/// A name that was added to a network, and one of its addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mapping {
    /// The network to which it was added.
    pub(crate) net: String,
    /// The name.
    pub(crate) name: String,
    /// Its address.
    pub(crate) address: IpAddr,
}

/// The names that networks have besides those of the plan. They change, so they are asked for when they are needed.
pub(crate) trait Mappings: std::fmt::Debug + Send + Sync {
    /// All that were added.
    fn added(&self) -> Result<Vec<Mapping>>;

    /// Adds names to a network, in place of those that were added before with an address of the same family.
    fn add(&self, net: &str, names: &[(String, IpAddr)]) -> Result<()>;
}

/// Every name with its addresses, those of the plan and those that were added. A guest asks whichever server it was told of
/// last, so each of them knows all names. A server that knows a name's address also gives the name to no other address,
/// such as that of the same guest's lease in its own network.
pub(crate) fn all(plan: &Plan, added: &[Mapping]) -> Vec<(String, IpAddr)> {
    let planned = plan.hosts().into_iter().map(|(name, ip)| (name.to_owned(), IpAddr::V4(ip)));
    let planned6 = plan.hosts6().into_iter().map(|(name, ip)| (name.to_owned(), IpAddr::V6(ip)));
    let added = added.iter().map(|mapping| (mapping.name.clone(), mapping.address));
    planned.chain(planned6).chain(added).collect()
}

/// libvirt's records: the names of each address, as they are spelled there.
pub(crate) type Records = IndexMap<IpAddr, IndexSet<String>>;

/// The records by which a network with this domain answers for names. Where a name has two addresses of a family, the
/// first counts.
pub(crate) fn records(names: &[(String, IpAddr)], domain: Option<&str>) -> Records {
    let mut owners: IndexMap<String, IpAddr> = IndexMap::new();
    let mut records = Records::new();
    for (name, address) in names {
        for spelling in spellings(name, *address, domain) {
            if *owners.entry(spelling.clone()).or_insert(*address) == *address {
                records.entry(*address).or_default().insert(spelling);
            }
        }
    }
    records
}

/// A name as the record of an address has it. dnsmasq puts a name without any dot into the network's domain as well.
fn spellings(name: &str, address: IpAddr, domain: Option<&str>) -> Vec<String> {
    if address.is_ipv4() {
        return vec![name.to_owned()];
    }
    let domain = domain.filter(|_| !name.contains('.'));
    let full = domain.map(|domain| format!("{name}.{domain}."));
    [format!("{name}.")].into_iter().chain(full).collect()
}

/// What it takes to have a network that is up answer for exactly these names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Update {
    changes: Vec<Change>,
}

/// One change of libvirt's records.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    Remove(IpAddr),
    Add(IpAddr, IndexSet<String>),
}

impl Update {
    /// Compares what a network answers now with what it should; `None` for one that is not up.
    ///
    /// # Errors
    /// When libvirt cannot be asked, or its answer is not understood.
    pub(crate) fn find(
        connection: &Arc<Connection>,
        net: &str,
        wanted: &Records,
    ) -> Result<Option<Self>, VirtError> {
        let name = net.to_owned();
        let description = connection.call(QUESTION_LIMIT, move |connect| {
            connect.lookup_network_by_name(&name).and_then(|network| network.xml_desc(0))
        })?;
        let description = match description {
            Err(error) if error.code().is(ErrorNumber::NoNetwork) => return Ok(None),
            described => described.map_err(|error| failed(net, "look at", error.message()))?,
        };
        let served = read(&description).map_err(|reason| failed(net, "look at", &reason))?;
        Ok(Some(Self::between(&served, wanted)))
    }

    fn between(served: &Records, wanted: &Records) -> Self {
        let gone = served
            .iter()
            .filter(|(address, names)| wanted.get(*address) != Some(*names))
            .map(|(address, _)| Change::Remove(*address));
        let new = wanted
            .iter()
            .filter(|(address, names)| served.get(*address) != Some(*names))
            .map(|(address, names)| Change::Add(*address, names.clone()));
        Self { changes: gone.chain(new).collect() }
    }

    /// Makes the changes, up to the first that fails.
    pub(crate) fn apply(&self, connection: &Arc<Connection>, net: &str) -> Result<(), VirtError> {
        for change in &self.changes {
            let (command, record) = match change {
                Change::Remove(address) => {
                    (sys::VIR_NETWORK_UPDATE_COMMAND_DELETE, host(*address, [].into_iter()))
                }
                Change::Add(address, names) => {
                    let record = host(*address, names.iter().map(String::as_str));
                    (sys::VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, record)
                }
            };
            let (name, xml) = (net.to_owned(), record.to_document());
            let updated = connection.call(CHANGE_LIMIT, move |connect| {
                connect.lookup_network_by_name(&name)?.update(
                    command,
                    sys::VIR_NETWORK_SECTION_DNS_HOST,
                    NO_PARENT,
                    &xml,
                    sys::VIR_NETWORK_UPDATE_AFFECT_LIVE,
                )
            })?;
            updated.map_err(|error| failed(net, "change the names of", error.message()))?;
        }
        Ok(())
    }
}

/// Records of names are not inside of anything that there could be several of.
const NO_PARENT: i32 = -1;

fn failed(net: &str, action: &'static str, message: &str) -> VirtError {
    VirtError::Network {
        net: net.to_owned(),
        action,
        message: message.to_owned(),
        hint: String::new(),
    }
}

/// The records of a network, by its description.
fn read(description: &str) -> Result<Records, String> {
    let network = Element::parse(description.as_bytes()).map_err(|error| error.to_string())?;
    let dns = network.get_child("dns").map(children).unwrap_or_default();
    let mut records = Records::new();
    for record in dns.into_iter().filter(|element| element.name == "host") {
        let address = record.attributes.get("ip").ok_or("a record of names has no address")?;
        let address = address.parse().map_err(|_| format!("{address} is no address"))?;
        let names = children(record).into_iter().filter_map(Element::get_text);
        records.entry(address).or_default().extend(names.map(String::from));
    }
    Ok(records)
}

fn children(element: &Element) -> Vec<&Element> {
    element.children.iter().filter_map(XMLNode::as_element).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::host::Host;
    use crate::virt::network_xml::{
        BridgeDevice, Forward, NetworkDescription, NetworkKind, Services,
    };

    const DOMAIN: Option<&str> = Some("lago.local");

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn names(names: &[(&str, &str)]) -> Vec<(String, IpAddr)> {
        names.iter().map(|(name, address)| ((*name).to_owned(), ip(address))).collect()
    }

    fn description(name: &str, records: &Records) -> String {
        let services = Services {
            asks_nobody: true,
            forward: Forward::Open,
            gateway: [10, 0, 0, 1].into(),
            subnet: "10.0.0.0/24".parse().unwrap(),
            ipv6: None,
            range: None,
            leases: Vec::new(),
            names: records.clone(),
            name_server: None,
            domain: None,
        };
        let device = BridgeDevice { mac: "54:52:0a:00:00:01".into(), mtu: None, stp: false };
        let kind = NetworkKind::Nat(device, Box::new(services));
        NetworkDescription { name: name.into(), bridge: "br".into(), kind }.to_xml()
    }

    #[test]
    fn a_name_has_a_record_of_each_family() {
        let names = names(&[
            ("a", "10.0.0.2"),
            ("a", "fd00:1::2"),
            ("www.example", "fd00:1::2"),
            ("a", "10.0.0.9"),
        ]);
        let expected = [
            (ip("10.0.0.2"), IndexSet::from(["a".to_owned()])),
            (ip("fd00:1::2"), ["a.", "a.lago.local.", "www.example."].map(str::to_owned).into()),
        ];
        assert_eq!(records(&names, DOMAIN), Records::from(expected));
    }

    #[test]
    fn what_a_network_was_made_with_is_what_it_serves() {
        let names = names(&[("a", "10.0.0.2"), ("b", "10.0.0.2"), ("a", "fd00:1::2")]);
        let made = records(&names, DOMAIN);
        assert_eq!(read(&description("n", &made)).unwrap(), made);
    }

    #[test]
    fn a_name_of_an_address_that_is_known_replaces_its_record() {
        let before = records(&names(&[("a", "10.0.0.2"), ("a", "fd00:1::2")]), None);
        let after =
            [("a", "10.0.0.2"), ("a", "fd00:1::2"), ("www", "10.0.0.2"), ("c", "fd00:1::9")];
        let both = ["a".to_owned(), "www".to_owned()].into();
        let changes = vec![
            Change::Remove(ip("10.0.0.2")),
            Change::Add(ip("10.0.0.2"), both),
            Change::Add(ip("fd00:1::9"), ["c.".to_owned()].into()),
        ];
        assert_eq!(Update::between(&before, &records(&names(&after), None)), Update { changes });
    }

    /// By libvirt's own driver for tests, whose networks are real to libvirt alone.
    #[test]
    fn libvirt_takes_a_name_of_both_families_and_gives_it_up() {
        let connection = Arc::new(Connection::new(Host::uri("test:///default")));
        let before = records(&names(&[("a", "10.0.0.2"), ("a", "fd00:1::2")]), DOMAIN);
        let xml = description("names", &before);
        let made = connection
            .call(CHANGE_LIMIT, move |connect| connect.create_network_xml(&xml).map(drop));
        made.unwrap().unwrap();
        let after = records(
            &names(&[("a", "10.0.0.2"), ("www", "10.0.0.7"), ("www", "fd00:1::7")]),
            DOMAIN,
        );
        for wanted in [&after, &before] {
            let update = || Update::find(&connection, "names", wanted).unwrap().unwrap();
            update().apply(&connection, "names").unwrap();
            assert_eq!(update(), Update::default());
        }
        assert_eq!(Update::find(&connection, "another", &after).unwrap(), None);
    }

    /// What libvirt does with a change: it refuses to add what has an address or a name in common with another record.
    fn libvirt(records: &mut Records, change: &Change) -> bool {
        match change {
            Change::Remove(address) => records.shift_remove(address).is_some(),
            Change::Add(address, names) => {
                let is_new = records
                    .iter()
                    .all(|(other, known)| other != address && known.is_disjoint(names));
                records.insert(*address, names.clone());
                is_new
            }
        }
    }

    fn some_names() -> impl Strategy<Value = Vec<(String, IpAddr)>> {
        let address = prop_oneof![
            (2..6_u8).prop_map(|last| IpAddr::from([10, 0, 0, last])),
            (2..6_u16).prop_map(|last| IpAddr::from([0xfd00, 1, 0, 0, 0, 0, 0, last])),
        ];
        prop::collection::vec(("[a-e]", address), 0..10).prop_map(|names| {
            // A name has one address of a family.
            let one: BTreeMap<_, _> = names
                .into_iter()
                .map(|(name, address)| ((name, address.is_ipv4()), address))
                .collect();
            one.into_iter().map(|((name, _), address)| (name, address)).collect()
        })
    }

    proptest! {
        #[test]
        fn libvirt_takes_every_change_and_all_names_are_served(
            before in some_names(),
            after in some_names(),
        ) {
            let mut served = Records::new();
            for names in [&before, &after] {
                let wanted = records(names, DOMAIN);
                for change in &Update::between(&served, &wanted).changes {
                    prop_assert!(libvirt(&mut served, change), "{change:?}");
                }
                prop_assert_eq!(&served, &wanted);
                for (name, address) in names {
                    let spelled = if address.is_ipv4() { name.clone() } else { format!("{name}.") };
                    prop_assert!(served[address].contains(&spelled), "{name} {address}");
                }
            }
        }
    }
}
