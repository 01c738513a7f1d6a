//! Names that the servers of a network answer for: those of the plan, and those that were added later.
//!
//! libvirt has a record for each address, with all of its names. Of a network that is up it changes no record that has an
//! address or a name in common with another one: to be changed, a record goes and comes back, and a name that has an
//! address of each family cannot be given to it at all. Such names are told to dnsmasq when the network is made.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use virt::error::ErrorNumber;
use virt::sys;
use xmltree::{Element, XMLNode};

use super::VirtError;
use super::connection::{CHANGE_LIMIT, Connection, QUESTION_LIMIT};
use super::network_xml::{HOST_RECORD, host};
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

/// What it takes to have a network that is up answer for exactly these names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Update {
    changes: Vec<Change>,
    /// Names for which it cannot answer as long as it is up.
    pub(crate) impossible: Vec<String>,
}

/// One change of libvirt's records.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    Remove(IpAddr),
    Add(IpAddr, BTreeSet<String>),
}

impl Update {
    /// Compares what a network answers now with what it should; `None` for one that is not up.
    ///
    /// # Errors
    /// When libvirt cannot be asked, or its answer is not understood.
    pub(crate) fn find(
        connection: &Arc<Connection>,
        net: &str,
        wanted: &[(String, IpAddr)],
    ) -> Result<Option<Self>, VirtError> {
        let name = net.to_owned();
        let description = connection.call(QUESTION_LIMIT, move |connect| {
            connect.lookup_network_by_name(&name).and_then(|network| network.xml_desc(0))
        })?;
        let description = match description {
            Err(error) if error.code().is(ErrorNumber::NoNetwork) => return Ok(None),
            described => described.map_err(|error| failed(net, "look at", error.message()))?,
        };
        let served =
            Served::read(&description).map_err(|reason| failed(net, "look at", &reason))?;
        Ok(Some(served.update(wanted)))
    }

    /// Makes the changes.
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

/// What a network that is up answers for.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Served {
    /// libvirt's records.
    records: BTreeMap<IpAddr, BTreeSet<String>>,
    /// What dnsmasq was told when the network was made, for as long as it is up.
    fixed: BTreeSet<(String, IpAddr)>,
}

impl Served {
    fn read(description: &str) -> Result<Self, String> {
        let network = Element::parse(description.as_bytes()).map_err(|error| error.to_string())?;
        let mut served = Self::default();
        let dns = network.get_child("dns").map(children).unwrap_or_default();
        for record in dns.into_iter().filter(|element| element.name == "host") {
            let address = record.attributes.get("ip").ok_or("a record of names has no address")?;
            let address = address.parse().map_err(|_| format!("{address} is no address"))?;
            let names = children(record).into_iter().filter_map(Element::get_text);
            served.records.entry(address).or_default().extend(names.map(String::from));
        }
        let options = network.get_child("options").map(children).unwrap_or_default();
        for option in options {
            let value = option.attributes.get("value").map(String::as_str).unwrap_or_default();
            if let Some((names, address)) = value
                .strip_prefix(HOST_RECORD)
                .and_then(|record| record.rsplit_once(','))
                .and_then(|(names, address)| Some((names, address.parse().ok()?)))
            {
                served.fixed.extend(names.split(',').map(|name| (name.to_owned(), address)));
            }
        }
        Ok(served)
    }

    fn update(&self, wanted: &[(String, IpAddr)]) -> Update {
        let mut records: BTreeMap<IpAddr, BTreeSet<String>> = BTreeMap::new();
        let mut owners: BTreeMap<&str, IpAddr> = BTreeMap::new();
        let mut impossible = Vec::new();
        for (name, address) in wanted {
            if self.fixed.contains(&(name.clone(), *address)) {
                continue;
            }
            if owners.get(name.as_str()).is_some_and(|other| other != address) {
                impossible.push(name.clone());
                continue;
            }
            owners.insert(name, *address);
            records.entry(*address).or_default().insert(name.clone());
        }
        let gone = self
            .records
            .iter()
            .filter(|(address, names)| records.get(*address) != Some(*names))
            .map(|(address, _)| Change::Remove(*address));
        let new = records
            .iter()
            .filter(|(address, names)| self.records.get(*address) != Some(*names))
            .map(|(address, names)| Change::Add(*address, names.clone()));
        Update { changes: gone.chain(new).collect(), impossible }
    }
}

fn children(element: &Element) -> Vec<&Element> {
    element.children.iter().filter_map(XMLNode::as_element).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::virt::network_xml::{
        BridgeDevice, Forward, NetworkDescription, NetworkKind, Services,
    };

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn names(names: &[(&str, &str)]) -> Vec<(String, IpAddr)> {
        names.iter().map(|(name, address)| ((*name).to_owned(), ip(address))).collect()
    }

    fn served(records: &[(&str, &[&str])], fixed: &[(&str, &str)]) -> Served {
        let records = records.iter().map(|(address, names)| {
            (ip(address), names.iter().map(|name| (*name).to_owned()).collect())
        });
        Served { records: records.collect(), fixed: names(fixed).into_iter().collect() }
    }

    #[test]
    fn what_a_network_was_made_with_is_what_it_serves() {
        let services = Services {
            asks_nobody: true,
            forward: Forward::Open,
            gateway: [10, 0, 0, 1].into(),
            subnet: "10.0.0.0/24".parse().unwrap(),
            ipv6: None,
            range: None,
            leases: Vec::new(),
            names: [("a".to_owned(), [10, 0, 0, 2].into()), ("b".to_owned(), [10, 0, 0, 2].into())]
                .into(),
            names6: [("a".to_owned(), "fd00:1::2".parse().unwrap())].into(),
            name_server: None,
            domain: None,
        };
        let device = BridgeDevice { mac: "54:52:0a:00:00:01".into(), mtu: None, stp: false };
        let kind = NetworkKind::Nat(device, Box::new(services));
        let description =
            NetworkDescription { name: "n".into(), bridge: "br".into(), kind }.to_xml();
        let read = Served::read(&description).unwrap();
        assert_eq!(read, served(&[("10.0.0.2", &["a", "b"])], &[("a", "fd00:1::2")]));
        let wanted = names(&[("a", "10.0.0.2"), ("b", "10.0.0.2"), ("a", "fd00:1::2")]);
        assert_eq!(read.update(&wanted), Update::default());
    }

    #[test]
    fn a_name_of_an_address_that_is_known_replaces_its_record() {
        let served = served(&[("10.0.0.2", &["a"])], &[("a", "fd00:1::2")]);
        let wanted = names(&[
            ("a", "10.0.0.2"),
            ("a", "fd00:1::2"),
            ("www", "10.0.0.2"),
            ("c", "fd00:1::9"),
        ]);
        let both = ["a".to_owned(), "www".to_owned()].into();
        let changes = vec![
            Change::Remove(ip("10.0.0.2")),
            Change::Add(ip("10.0.0.2"), both),
            Change::Add(ip("fd00:1::9"), ["c".to_owned()].into()),
        ];
        assert_eq!(served.update(&wanted), Update { changes, impossible: Vec::new() });
    }

    #[test]
    fn a_name_of_both_families_cannot_be_added() {
        let update = Served::default().update(&names(&[("a", "10.0.0.2"), ("a", "fd00:1::2")]));
        assert_eq!(update.impossible, ["a"]);
        assert_eq!(update.changes.len(), 1);
    }

    /// What libvirt does with a change: it refuses to add what has an address or a name in common with another record.
    fn libvirt(records: &mut BTreeMap<IpAddr, BTreeSet<String>>, change: &Change) -> bool {
        match change {
            Change::Remove(address) => records.remove(address).is_some(),
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
        fn libvirt_takes_every_change_and_all_possible_names_are_served(
            before in some_names(),
            after in some_names(),
        ) {
            let mut served = Served::default();
            for wanted in [&before, &after, &after] {
                let update = served.update(wanted);
                for change in &update.changes {
                    prop_assert!(libvirt(&mut served.records, change), "{change:?}");
                }
                for (name, address) in wanted {
                    let is_served =
                        served.records.get(address).is_some_and(|names| names.contains(name));
                    prop_assert!(is_served || update.impossible.contains(name), "{name} {address}");
                }
                let count: usize = served.records.values().map(BTreeSet::len).sum();
                prop_assert_eq!(count + update.impossible.len(), wanted.len());
            }
            prop_assert_eq!(served.update(&after).changes, vec![]);
        }
    }
}
