//! One network of an environment.

use std::net::Ipv4Addr;
use std::sync::Arc;

use indexmap::IndexMap;
use virt::error::ErrorNumber;

use super::VirtError;
use super::connection::{CHANGE_LIMIT, Connection, QUESTION_LIMIT};
use super::network_xml::{Lease, NetworkDescription, NetworkKind};
use crate::spec::{NetKind, Plan, PlannedNet, mac};
use crate::utils::{BoxError, HostCommand, error_chain};

/// How often the kernel asks for the hardware address of a guest that does not answer.
const NEIGHBOUR_INTERVAL_MILLIS: &str = "100";

/// A network of an environment: NAT with leases and names that libvirt serves, or a bridge alone.
#[derive(Debug, Clone)]
pub struct Network {
    plan: Arc<PlannedNet>,
    description: Arc<NetworkDescription>,
    connection: Arc<Connection>,
}

impl Network {
    pub(crate) fn new(
        planned: &PlannedNet,
        plan: &Plan,
        libvirt_name: String,
        connection: Arc<Connection>,
    ) -> Self {
        let description = NetworkDescription {
            name: libvirt_name,
            bridge: planned.bridge.clone(),
            mac: mac(planned.gateway),
            mtu: planned.mtu,
            kind: kind(planned, plan),
        };
        Self { plan: Arc::new(planned.clone()), description: Arc::new(description), connection }
    }

    /// The name in the init file.
    pub fn name(&self) -> &str {
        &self.plan.name
    }

    /// The address that the guests use as their gateway.
    pub fn gateway(&self) -> Ipv4Addr {
        self.plan.gateway
    }

    /// Whether this is the network over which the guests are reached.
    pub fn is_management(&self) -> bool {
        self.plan.management
    }

    /// The address of a name on this network, without asking its name server.
    pub fn resolve(&self, name: &str) -> Option<Ipv4Addr> {
        self.plan.mapping.get(name).copied()
    }

    /// Whether the network is up.
    pub fn alive(&self) -> Result<bool, VirtError> {
        let name = self.description.name.clone();
        let alive = self.connection.call(QUESTION_LIMIT, move |connect| {
            connect.lookup_network_by_name(&name).and_then(|network| network.is_active())
        })?;
        match alive {
            Err(e) if e.code().is(ErrorNumber::NoNetwork) => Ok(false),
            alive => alive.map_err(|e| self.error("look at", &e)),
        }
    }

    /// Brings the network up; one that is up already is left alone.
    pub fn start(&self) -> Result<(), VirtError> {
        if self.alive()? {
            return Ok(());
        }
        let xml = self.description.to_xml();
        self.connection
            .call(CHANGE_LIMIT, move |connect| connect.create_network_xml(&xml).map(drop))?
            .map_err(|e| self.error("start", &e))?;
        self.look_for_guests_often();
        Ok(())
    }

    /// The kernel asks for the hardware address of a guest that is not up yet once a second, so it would notice one that
    /// comes up half a second late on average. On a host of our own it asks more often.
    fn look_for_guests_often(&self) {
        let host = self.connection.host();
        if !host.is_private() {
            return;
        }
        let mut command = HostCommand::new("ip")
            .args(["ntable", "change", "name", "arp_cache", "dev", &self.description.bridge])
            .args(["retrans", NEIGHBOUR_INTERVAL_MILLIS]);
        let entered = host.enter(command.command_mut()).map_err(BoxError::from);
        if let Err(error) = entered.and_then(|()| Ok(command.run().map(drop)?)) {
            tracing::debug!("guests that start are found later: {}", error_chain(&*error));
        }
    }

    /// Takes the network down; one that is down already is left alone.
    pub fn stop(&self) -> Result<(), VirtError> {
        let name = self.description.name.clone();
        let stopped = self.connection.call(CHANGE_LIMIT, move |connect| {
            connect.lookup_network_by_name(&name).and_then(|network| network.destroy())
        })?;
        match stopped {
            Err(e) if e.code().is(ErrorNumber::NoNetwork) => Ok(()),
            stopped => stopped.map_err(|e| self.error("stop", &e)),
        }
    }

    fn error(&self, action: &'static str, source: &virt::error::Error) -> VirtError {
        VirtError::Network {
            net: self.plan.name.clone(),
            action,
            message: source.message().to_owned(),
            hint: String::new(),
        }
    }
}

fn kind(planned: &PlannedNet, plan: &Plan) -> NetworkKind {
    match planned.kind {
        NetKind::Bridge => NetworkKind::Bridge,
        NetKind::Nat => NetworkKind::Nat {
            gateway: planned.gateway,
            subnet: planned.subnet,
            range: planned.dhcp.map(|range| (range.start, range.end)),
            leases: leases(planned, plan),
            names: names(plan),
            domain: planned.domain.clone(),
        },
    }
}

/// A guest asks whichever server it was told of last, so each of them knows all names. A server that knows a name's
/// address also gives the name to no other address, such as that of the same guest's lease in its own network.
fn names(plan: &Plan) -> IndexMap<String, Ipv4Addr> {
    plan.hosts().into_iter().map(|(name, address)| (name.to_owned(), address)).collect()
}

fn leases(planned: &PlannedNet, plan: &Plan) -> Vec<Lease> {
    plan.vms
        .iter()
        .flat_map(|vm| vm.nics.iter().map(move |nic| (vm, nic)))
        .filter(|(_, nic)| nic.net == planned.name)
        .map(|(vm, nic)| Lease { mac: nic.mac.clone(), name: Some(vm.name.clone()), ip: nic.ip })
        .collect()
}
