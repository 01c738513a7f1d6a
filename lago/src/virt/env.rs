//! All networks and VMs of a prefix.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use super::connection::Connection;
use super::{Network, VirtError, Vm, isolation};
use crate::Result;
use crate::host::Host;
use crate::spec::Uplink;
use crate::utils::{Failures, error_chain, parallel};

/// The networks and the VMs of a prefix, and the connection to the libvirt that runs them.
#[derive(Debug)]
pub struct VirtEnv {
    connection: Arc<Connection>,
    networks: IndexMap<String, Network>,
    vms: IndexMap<String, Vm>,
}

impl VirtEnv {
    pub(crate) fn new(
        connection: Arc<Connection>,
        networks: impl IntoIterator<Item = Network>,
        vms: impl IntoIterator<Item = Vm>,
    ) -> Self {
        Self {
            connection,
            networks: networks.into_iter().map(|net| (net.name().to_owned(), net)).collect(),
            vms: vms.into_iter().map(|vm| (vm.name().to_owned(), vm)).collect(),
        }
    }

    /// Where the domains run.
    pub fn host(&self) -> &Host {
        self.connection.host()
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// The networks, in the order of the init file.
    pub fn networks(&self) -> impl ExactSizeIterator<Item = &Network> {
        self.networks.values()
    }

    /// A network by its name in the init file.
    pub fn network(&self, name: &str) -> Option<&Network> {
        self.networks.get(name)
    }

    /// The VMs, in the order of the init file.
    pub fn vms(&self) -> impl ExactSizeIterator<Item = &Vm> {
        self.vms.values()
    }

    /// A VM by its name in the init file.
    pub fn vm(&self, name: &str) -> Result<&Vm> {
        let unknown = || VirtError::UnknownVm {
            name: name.to_owned(),
            known: self.vms.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
        };
        self.vms.get(name).ok_or_else(|| unknown().into())
    }

    /// The VMs of these names, or all of them when there are no names.
    pub fn select(&self, names: &[String]) -> Result<Vec<&Vm>> {
        if names.is_empty() {
            return Ok(self.vms.values().collect());
        }
        names.iter().map(|name| self.vm(name)).collect()
    }

    /// The networks that these VMs are on, in the order of the init file; for all VMs all networks, also those that nobody is
    /// on yet.
    pub fn networks_of(&self, vms: &[&Vm]) -> Result<Vec<&Network>> {
        let mut virtual_ones = self.vms.values().filter(|vm| !vm.is_remote());
        if virtual_ones.all(|vm| vms.iter().any(|other| other.name() == vm.name())) {
            return Ok(self.networks.values().collect());
        }
        let mut names = HashSet::new();
        for vm in vms {
            names.extend(vm.all_nics()?.into_iter().map(|nic| nic.net().to_owned()));
        }
        Ok(self.networks.values().filter(|net| names.contains(net.name())).collect())
    }

    /// Brings the host and these networks up and powers these VMs on, all at once; what is up already stays as it is.
    pub fn start(&self, networks: &[&Network], vms: &[&Vm]) -> Result<()> {
        tracing::info_span!("start host").in_scope(|| self.host().start())?;
        self.start_networks(networks)?;
        parallel(self.vms.values(), |vm| vm.renew_leases(networks))?;
        parallel(vms, |vm| vm.start())?;
        Ok(())
    }

    /// Brings up networks, and on a private host what libvirt makes for them elsewhere: who may pass between them, and
    /// the way out.
    fn start_networks(&self, networks: &[&Network]) -> Result<()> {
        let mut parts: Vec<Part<'_>> = networks.iter().copied().map(Part::Network).collect();
        if self.host().is_private() {
            parts.push(Part::Isolation);
            let is_out = |network: &&Network| network.uplink() == Uplink::Host;
            parts.extend(networks.iter().any(is_out).then_some(Part::Uplink));
        }
        parallel(parts, |part| match part {
            Part::Network(network) => network.start(),
            // Of all networks: their bridges have names before they are there.
            Part::Isolation => {
                let members: Vec<_> = self.networks.values().filter_map(Network::member).collect();
                isolation::put(self.host(), &members)
            }
            Part::Uplink => Ok(self.host().start_uplink()?),
        })?;
        Ok(())
    }

    /// Waits until a command can be run in each of these VMs, each at most for `limit`. A guest that is not bootstrapped
    /// has no key of ours, so it is not waited for.
    pub fn wait_for_ssh(&self, vms: &[&Vm], limit: Duration) -> Result<()> {
        let awaited = vms.iter().filter(|vm| vm.spec().bootstrap || vm.is_remote());
        parallel(awaited, |vm| vm.wait_for_ssh(limit))?;
        Ok(())
    }

    /// Pulls the plug of all VMs, and leaves what they ran on, unless a private host's libvirt cannot do it: then the host
    /// goes as well.
    pub(crate) fn stop_vms(&self) -> Result<()> {
        for vm in self.vms.values() {
            vm.ssh().forget_sessions();
        }
        if !self.host().is_running() {
            return Ok(());
        }
        match parallel(self.vms.values(), Vm::stop) {
            // A libvirt that was killed while it restored a domain may keep a lock on it for ever (seen with 9.0).
            Err(failures) if self.host().is_private() => {
                tracing::warn!("{}; the private host is started anew", error_chain(&failures));
                self.host().stop()?;
                self.connection.close();
                Ok(())
            }
            stopped => Ok(stopped.map(drop)?),
        }
    }

    /// Pulls the plug of all VMs, takes the networks down and the host with them.
    ///
    /// A private host takes everything with it, so there nothing is asked of libvirt, which may be what has failed.
    pub fn stop(&self) -> Result<()> {
        for vm in self.vms.values() {
            vm.ssh().forget_sessions();
        }
        if !self.host().is_private() {
            // One that cannot be stopped is no reason to leave the others up.
            let vms = parallel(self.vms.values(), Vm::stop);
            let networks = parallel(self.networks.values(), Network::stop);
            Failures::all([vms.map(drop), networks.map(drop)])?;
        }
        self.host().stop()?;
        self.connection.close();
        Ok(())
    }
}

/// What networks are made of.
enum Part<'a> {
    Network(&'a Network),
    Isolation,
    Uplink,
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::path::{Path, PathBuf};

    use uuid::Uuid;

    use super::*;
    use crate::guest::keys::KeyPair;
    use crate::guest::{Reach, Ssh, SshTarget};
    use crate::host::Acceleration;
    use crate::spec::{InitFile, PlanInput, plan};
    use crate::virt::VmParts;
    use crate::virt::domain_xml::{DomainDescription, Processor};
    use crate::virt::names::{Mapping, Mappings};
    use crate::virt::reach::VmReach;
    use crate::virt::vm::NoDevices;

    const INIT_FILE: &str = "
domains:
  vm0: {nics: [{net: lan}], disks: []}
  vm1: {nics: [{net: lan}], disks: []}
nets: {lan: {management: true}}
";

    /// A network that knows the names of the plan alone.
    #[derive(Debug)]
    struct NoMappings;

    impl Mappings for NoMappings {
        fn added(&self) -> Result<Vec<Mapping>> {
            Ok(Vec::new())
        }

        fn add(&self, _: &str, _: &[(String, std::net::IpAddr)]) -> Result<()> {
            unreachable!("no test adds one")
        }
    }

    fn vm(file: &InitFile, planned: &crate::spec::PlannedVm, connection: &Arc<Connection>) -> Vm {
        let description = DomainDescription {
            name: planned.name.clone(),
            uuid: Uuid::new_v4(),
            memory: 64,
            cpus: 1,
            sockets: None,
            cpu: Processor::Best,
            acceleration: Acceleration::Tcg,
            nvram: None,
            vnc: None,
            disks: Vec::new(),
            nics: Vec::new(),
            console_log: PathBuf::from("/nonexistent/console"),
        };
        let target = SshTarget {
            vm: planned.name.clone(),
            address: SocketAddr::from(([127, 0, 0, 1], 1)),
            user: "root".to_owned(),
            identity: PathBuf::from("/nonexistent/key"),
            host_key: KeyPair::generate("test").unwrap().public().clone().into(),
            password: None,
        };
        let reach = VmReach::new(
            planned.name.clone(),
            Arc::clone(connection),
            description.console_log.clone(),
        );
        let reach = Arc::new(reach);
        Vm::new(VmParts {
            spec: file.domains[&planned.name].clone(),
            plan: planned.clone(),
            description,
            devices: Box::new(NoDevices),
            vnc_password: None,
            connection: Arc::clone(connection),
            ssh: Ssh::new(target, Arc::clone(&reach) as Arc<dyn Reach>),
            way: Arc::clone(&reach) as Arc<dyn Reach>,
            reach,
        })
    }

    #[test]
    fn a_vm_that_cannot_be_stopped_leaves_no_network_up() {
        let file = InitFile::parse(INIT_FILE, Path::new("LagoInitFile.yaml")).unwrap();
        let plan = plan(&file, &PlanInput::new(Uuid::new_v4())).unwrap();
        let connection = Arc::new(Connection::new(Host::uri("test:///default")));
        let broken = Arc::new(Connection::new(Host::uri("qemu:///system?socket=/nonexistent")));
        let network = Network::new(
            &plan.nets[0],
            &plan,
            "lan".to_owned(),
            Arc::new(NoMappings),
            Arc::clone(&connection),
        );
        network.start().unwrap();
        let vms = plan.vms.iter().map(|planned| vm(&file, planned, &broken));
        let env = VirtEnv::new(Arc::clone(&connection), [network.clone()], vms);

        let error = env.stop().unwrap_err().to_string();
        assert!(error.contains("/nonexistent"), "{error}");
        assert!(!network.alive().unwrap());
    }
}
