//! Plans what the init file leaves open: subnets, addresses, hardware addresses, bridges and names.
//!
//! A plan is a pure function of the init file and its [`PlanInput`]: the same input gives the same plan, on every
//! machine.

mod addresses;
mod bridges;
mod hosts;
mod ipv6;
mod subnets;

use std::net::{Ipv4Addr, Ipv6Addr};

pub(crate) use addresses::{free_address, mac};
pub(crate) use hosts::names_of_nic;
use indexmap::IndexMap;
use ipnet::{Ipv4Net, Ipv6Net};
pub(crate) use ipv6::autoconfigured;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::diagnostic::SpecError;
use super::{DhcpRange, InitFile, NetKind, SubnetRange, Uplink};

/// What a plan depends on besides the init file.
#[derive(Debug, Clone, Copy)]
pub struct PlanInput<'a> {
    /// The prefix's identity, which makes the names of its bridges its own.
    pub id: Uuid,
    /// Subnets that others use where the prefix will run. Empty on a private host, which shares no network with
    /// anybody.
    pub taken: &'a [Ipv4Net],
    /// The subnets from which those are chosen that the init file leaves open.
    pub range: SubnetRange,
}

impl PlanInput<'_> {
    /// For a prefix with this identity, where nobody else uses subnets.
    pub fn new(id: Uuid) -> Self {
        Self { id, taken: &[], range: SubnetRange::default() }
    }
}

/// Everything about the networks of a prefix that its init file leaves open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Plan {
    /// The networks, in the order of the init file.
    pub nets: Vec<PlannedNet>,
    /// The virtual machines, in the order of the init file.
    pub vms: Vec<PlannedVm>,
}

impl Plan {
    /// The network with this name.
    pub fn net(&self, name: &str) -> Option<&PlannedNet> {
        self.nets.iter().find(|net| net.name == name)
    }

    /// The virtual machine with this name.
    pub fn vm(&self, name: &str) -> Option<&PlannedVm> {
        self.vms.iter().find(|vm| vm.name == name)
    }

    /// The names of all networks together, for name servers that answer for the whole environment.
    pub fn hosts(&self) -> IndexMap<&str, Ipv4Addr> {
        self.nets
            .iter()
            .flat_map(|net| &net.mapping)
            .map(|(name, address)| (name.as_str(), *address))
            .collect()
    }

    /// As [`Self::hosts`], for IPv6.
    pub fn hosts6(&self) -> IndexMap<&str, Ipv6Addr> {
        self.nets
            .iter()
            .flat_map(|net| &net.mapping6)
            .map(|(name, address)| (name.as_str(), *address))
            .collect()
    }
}

/// One network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PlannedNet {
    /// Its name in the init file.
    pub name: String,
    /// What it offers.
    pub kind: NetKind,
    /// Its subnet. Guests of a bridge network have addresses of it too, though nobody hands them out.
    pub subnet: Ipv4Net,
    /// The address of the host in it. On a bridge network nobody has this address.
    pub gateway: Ipv4Addr,
    /// The range for guests that the plan does not know. No planned address is in it.
    pub dhcp: Option<DhcpRange>,
    /// Its IPv6 side, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<PlannedIpv6>,
    /// What guests reach beyond it, if the init file says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uplink: Option<Uplink>,
    /// The name of the bridge: at most 15 characters, different for each network of each prefix, unless it is one of the
    /// host's.
    pub bridge: String,
    /// Whether the bridge is one of the host's, which the network joins.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub joins_bridge: bool,
    /// Whether the bridge takes part in the spanning tree protocol.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stp: bool,
    /// The DNS domain.
    pub domain: Option<String>,
    /// Whether guests are reached through it.
    pub management: bool,
    /// The names in this network: `<vm>-eth<N>`, `<vm>-<net>` and `<vm>-<net>-<N>` for each NIC, `<vm>` in the network
    /// through which the VM is reached, and what the init file adds.
    pub mapping: IndexMap<String, Ipv4Addr>,
    /// The same names, as far as they have an IPv6 address.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub mapping6: IndexMap<String, Ipv6Addr>,
    /// The MTU, if it is not the usual one.
    pub mtu: Option<u32>,
}

/// The IPv6 side of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PlannedIpv6 {
    /// Its subnet.
    pub subnet: Ipv6Net,
    /// The address of the host in it. On a bridge network nobody has this address.
    pub gateway: Ipv6Addr,
}

/// One virtual machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PlannedVm {
    /// Its name in the init file.
    pub name: String,
    /// Its network cards, in the order of the init file: the first is `eth0` in the guest.
    pub nics: Vec<PlannedNic>,
}

impl PlannedVm {
    /// The NIC through which the VM is reached; `None` for a VM without NICs.
    pub fn management_nic(&self) -> Option<&PlannedNic> {
        self.nics.iter().find(|nic| nic.management)
    }

    /// The address at which the VM is reached; `None` for a VM without NICs.
    pub fn management_ip(&self) -> Option<Ipv4Addr> {
        self.management_nic().map(|nic| nic.ip)
    }
}

/// One network card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PlannedNic {
    /// The network that it is connected to.
    pub net: String,
    /// Its address.
    pub ip: Ipv4Addr,
    /// Its IPv6 address, where the network has IPv6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip6: Option<Ipv6Addr>,
    /// Its hardware address, six pairs of lower-case hexadecimal digits. It follows from `ip`.
    pub mac: String,
    /// Whether the VM is reached through it. That is the first NIC on a network for management.
    pub management: bool,
    /// The MTU, if it is not the usual one.
    pub mtu: Option<u32>,
}

/// Plans what the init file leaves open.
///
/// Fails if the addresses do not suffice, if a subnet that the file fixes is taken, or if two things would have the
/// same name.
pub fn plan(file: &InitFile, input: &PlanInput<'_>) -> Result<Plan, SpecError> {
    let report = file.origin.report();
    let subnets = subnets::choose(file, input, &report);
    let mut plan = Plan {
        nets: bridges::connect(file, input.id, &subnets),
        vms: addresses::assign(file, &subnets, &report),
    };
    ipv6::assign(file, input.id, &mut plan);
    if report.is_clean() {
        hosts::register(file, &mut plan, &report);
    }
    report.finish(plan)
}
