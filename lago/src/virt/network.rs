//! One network of an environment.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use virt::error::ErrorNumber;

use super::VirtError;
use super::connection::{CHANGE_LIMIT, Connection, QUESTION_LIMIT};
use super::isolation::Member;
use super::names::{self, Mappings, Records, Update};
use super::network_xml::{BridgeDevice, Forward, Lease, NetworkDescription, NetworkKind, Services};
use crate::Result;
use crate::brctl::Bridges;
use crate::host::uplink_name_server;
use crate::spec::{NetKind, Plan, PlannedNet, Uplink, mac};
use crate::utils::{BoxError, HostCommand, error_chain};
use crate::virt::faults::is_here;

/// How often the kernel asks for the hardware address of a guest that does not answer.
const NEIGHBOUR_INTERVAL_MILLIS: &str = "100";

/// A network of an environment: NAT with leases and names that libvirt serves, or a bridge alone.
#[doc(alias = "NATNetwork")]
#[doc(alias = "BridgeNetwork")]
#[derive(Debug, Clone)]
pub struct Network {
    net: Arc<PlannedNet>,
    plan: Arc<Plan>,
    libvirt_name: String,
    mappings: Arc<dyn Mappings>,
    connection: Arc<Connection>,
}

impl Network {
    pub(crate) fn new(
        net: &PlannedNet,
        plan: &Plan,
        libvirt_name: String,
        mappings: Arc<dyn Mappings>,
        connection: Arc<Connection>,
    ) -> Self {
        let (net, plan) = (Arc::new(net.clone()), Arc::new(plan.clone()));
        Self { net, plan, libvirt_name, mappings, connection }
    }

    /// The name in the init file.
    pub fn name(&self) -> &str {
        &self.net.name
    }

    /// The address that the guests use as their gateway.
    #[doc(alias = "gw")]
    pub fn gateway(&self) -> Ipv4Addr {
        self.net.gateway
    }

    /// The same for IPv6, where the network has it.
    pub fn gateway6(&self) -> Option<Ipv6Addr> {
        self.net.ipv6.map(|ipv6| ipv6.gateway)
    }

    /// Whether this is the network over which the guests are reached.
    pub fn is_management(&self) -> bool {
        self.net.management
    }

    /// What its guests reach beyond it: what the init file says, otherwise nothing from a private host, and what the host
    /// reaches from a libvirt by its URI.
    pub fn uplink(&self) -> Uplink {
        let of_host = if self.connection.host().is_private() { Uplink::None } else { Uplink::Host };
        match self.net.kind {
            NetKind::Nat => self.net.uplink.unwrap_or(of_host),
            NetKind::Bridge => Uplink::None,
        }
    }

    /// Adds a name, for all guests of the environment, while they run too. See [`Self::add_mappings`].
    pub fn add_mapping(&self, name: &str, address: impl Into<IpAddr>) -> Result<()> {
        self.add_mappings([(name, address)])
    }

    /// Adds names, each with an address, for all guests of the environment. A name that was added before with an address of
    /// the same family gets the new one. They belong to the environment: snapshots and forks have them, and a revert takes
    /// away those that were added since.
    ///
    /// ```no_run
    /// # use std::net::IpAddr;
    /// # fn main() -> lago::Result<()> {
    /// let prefix = lago::Prefix::open("my-prefix")?;
    /// let lan = prefix.virt_env().network("lan").expect("it is in the init file");
    /// lan.add_mapping("registry.example", prefix.vm("server")?.ip())?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When a name is none, or the plan has it already, and when a network that is up cannot be told. Nothing is added
    /// then.
    pub fn add_mappings<N: Into<String>, A: Into<IpAddr>>(
        &self,
        mappings: impl IntoIterator<Item = (N, A)>,
    ) -> Result<()> {
        let mappings: Vec<(String, IpAddr)> =
            mappings.into_iter().map(|(name, address)| (name.into(), address.into())).collect();
        self.mappings.add(self.name(), &mappings)
    }

    /// The address of a name on this network, without asking its name server.
    pub fn resolve(&self, name: &str) -> Result<Option<Ipv4Addr>> {
        if let Some(address) = self.net.mapping.get(name) {
            return Ok(Some(*address));
        }
        self.added(name, |address| match address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        })
    }

    /// The IPv6 address of a name on this network, without asking its name server.
    pub fn resolve6(&self, name: &str) -> Result<Option<Ipv6Addr>> {
        if let Some(address) = self.net.mapping6.get(name) {
            return Ok(Some(*address));
        }
        self.added(name, |address| match address {
            IpAddr::V6(address) => Some(address),
            IpAddr::V4(_) => None,
        })
    }

    fn added<A>(&self, name: &str, family: fn(IpAddr) -> Option<A>) -> Result<Option<A>> {
        let added = self.mappings.added()?;
        let mut added = added.iter().filter(|added| added.net == self.net.name);
        Ok(added.find_map(|added| {
            family(added.address).filter(|_| added.name.eq_ignore_ascii_case(name))
        }))
    }

    /// Whether the network is up.
    pub fn alive(&self) -> Result<bool, VirtError> {
        let name = self.libvirt_name.clone();
        let alive = self.connection.call(QUESTION_LIMIT, move |connect| {
            connect.lookup_network_by_name(&name).and_then(|network| network.is_active())
        })?;
        match alive {
            Err(e) if e.code().is(ErrorNumber::NoNetwork) => Ok(false),
            alive => alive.map_err(|e| self.error("look at", &e)),
        }
    }

    /// Brings the network up; one that is up already only learns the names that it should know.
    pub fn start(&self) -> Result<()> {
        if self.alive()? {
            return self.renew_names();
        }
        self.require_bridge()?;
        let xml = self.describe()?.to_xml();
        self.connection
            .call(CHANGE_LIMIT, move |connect| connect.create_network_xml(&xml).map(drop))?
            .map_err(|e| self.error("start", &e))?;
        self.look_for_guests_often();
        Ok(())
    }

    /// libvirt would only miss the bridge when a VM starts.
    fn require_bridge(&self) -> Result<()> {
        if self.net.joins_bridge && is_here(self.connection.host()) {
            Bridges::of(self.connection.host()).find(&self.net.bridge)?;
        }
        Ok(())
    }

    fn renew_names(&self) -> Result<()> {
        if self.net.kind == NetKind::Bridge {
            return Ok(());
        }
        match Update::find(&self.connection, &self.libvirt_name, &self.names()?)? {
            Some(update) => Ok(update.apply(&self.connection, &self.libvirt_name)?),
            None => Ok(()),
        }
    }

    /// The names for which it answers.
    fn names(&self) -> Result<Records> {
        let names = names::all(&self.plan, &self.mappings.added()?);
        Ok(names::records(&names, self.net.domain.as_deref()))
    }

    /// The kernel asks for the hardware address of a guest that is not up yet once a second, so it would notice one that
    /// comes up half a second late on average. On a host of our own it asks more often.
    fn look_for_guests_often(&self) {
        let host = self.connection.host();
        if !host.is_private() {
            return;
        }
        let mut command = HostCommand::new("ip")
            .args(["ntable", "change", "name", "arp_cache", "dev", &self.net.bridge])
            .args(["retrans", NEIGHBOUR_INTERVAL_MILLIS]);
        let entered = host.enter(command.command_mut()).map_err(BoxError::from);
        if let Err(error) = entered.and_then(|()| Ok(command.run().map(drop)?)) {
            tracing::debug!("guests that start are found later: {}", error_chain(&*error));
        }
    }

    /// Takes the network down; one that is down already is left alone.
    pub fn stop(&self) -> Result<(), VirtError> {
        let name = self.libvirt_name.clone();
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
            net: self.net.name.clone(),
            action,
            message: source.message().to_owned(),
            hint: String::new(),
        }
    }

    /// The network as the rules of a private host see it. libvirt makes the others' rules.
    pub(super) fn member(&self) -> Option<Member<'_>> {
        let uplink = self.uplink() == Uplink::Host;
        (self.net.kind == NetKind::Nat).then_some(Member { bridge: &self.net.bridge, uplink })
    }

    fn describe(&self) -> Result<NetworkDescription> {
        let device =
            BridgeDevice { mac: mac(self.net.gateway), mtu: self.net.mtu, stp: self.net.stp };
        let kind = match self.net.kind {
            NetKind::Bridge if self.net.joins_bridge => NetworkKind::Joined,
            NetKind::Bridge => NetworkKind::Bridge(device),
            NetKind::Nat => NetworkKind::Nat(device, Box::new(self.services()?)),
        };
        let (name, bridge) = (self.libvirt_name.clone(), self.net.bridge.clone());
        Ok(NetworkDescription { name, bridge, kind })
    }

    fn services(&self) -> Result<Services> {
        let PlannedNet { gateway, subnet, dhcp, ipv6, domain, .. } = &*self.net;
        let is_private = self.connection.host().is_private();
        let forward = match self.uplink() {
            // A network that nobody forwards for has no gateway, says libvirt to the guests. Here rules of lago's decide.
            _ if is_private => Forward::Open,
            Uplink::Host => Forward::Nat,
            Uplink::None => Forward::No,
        };
        let asks_outside = is_private && self.uplink() == Uplink::Host;
        Ok(Services {
            forward,
            gateway: *gateway,
            subnet: *subnet,
            ipv6: ipv6.map(|ipv6| (ipv6.subnet, ipv6.gateway)),
            range: dhcp.map(|range| (range.start, range.end)),
            leases: self.leases(),
            names: self.names()?,
            name_server: asks_outside.then(|| uplink_name_server().into()),
            asks_nobody: is_private && !asks_outside,
            domain: domain.clone(),
        })
    }

    fn leases(&self) -> Vec<Lease> {
        self.plan
            .vms
            .iter()
            .flat_map(|vm| vm.nics.iter().map(move |nic| (vm, nic)))
            .filter(|(_, nic)| nic.net == self.net.name)
            .map(|(vm, nic)| Lease {
                mac: nic.mac.clone(),
                name: Some(vm.name.clone()),
                ip: nic.ip,
            })
            .collect()
    }
}
