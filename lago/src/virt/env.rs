//! All networks and VMs of a prefix.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use super::connection::Connection;
use super::{Network, VirtError, Vm};
use crate::Result;
use crate::host::Host;
use crate::utils::parallel;

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

    /// Brings the host and all networks up and powers these VMs on, all at once; what is up already stays as it is.
    pub fn start(&self, vms: &[&Vm]) -> Result<()> {
        tracing::info_span!("start host").in_scope(|| self.host().start())?;
        parallel(self.networks.values(), Network::start)?;
        parallel(vms, |vm| vm.start())?;
        Ok(())
    }

    /// Waits until a command can be run in each of these VMs, each at most for `limit`.
    pub fn wait_for_ssh(&self, vms: &[&Vm], limit: Duration) -> Result<()> {
        parallel(vms, |vm| vm.wait_for_ssh(limit))?;
        Ok(())
    }

    /// Pulls the plug of all VMs, and leaves what they ran on.
    pub(crate) fn stop_vms(&self) -> Result<()> {
        for vm in self.vms.values() {
            vm.ssh().forget_sessions();
        }
        if self.host().is_running() {
            parallel(self.vms.values(), Vm::stop)?;
        }
        Ok(())
    }

    /// Pulls the plug of all VMs, takes the networks down and the host with them.
    ///
    /// A private host takes everything with it, so there nothing is asked of libvirt, which may be what has failed.
    pub fn stop(&self) -> Result<()> {
        for vm in self.vms.values() {
            vm.ssh().forget_sessions();
        }
        if !self.host().is_private() {
            parallel(self.vms.values(), Vm::stop)?;
            parallel(self.networks.values(), Network::stop)?;
        }
        self.host().stop()?;
        self.connection.close();
        Ok(())
    }
}
