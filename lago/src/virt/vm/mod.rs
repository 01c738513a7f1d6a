//! One virtual machine of an environment.

mod commands;
mod devices;
mod ending;
mod forward;
mod nic;
mod power;
mod properties;
mod reboot;
mod remote;
mod services;
mod vnc;

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use virt::domain::Domain;
use virt::error::{Error, ErrorNumber};

use super::VirtError;
use super::connection::{CHANGE_LIMIT, Connection};
use super::domain_xml::DomainDescription;
use super::reach::VmReach;
use crate::Result;
use crate::guest::{Agent, HostKey, Reach, Ssh, console};
use crate::host::Acceleration;
use crate::spec;

pub use devices::NewDisk;
#[cfg(test)]
pub(super) use devices::NoDevices;
pub(crate) use devices::{AttachedCard, Devices, NewDiskSource};
pub use ending::VmEnding;
pub use nic::Nic;
pub use power::VmState;
pub(super) use power::{IO_ERROR, is_io_error};

/// A virtual machine: what the init file says of it, its domain, and the way into its guest.
///
/// Cheap to clone; clones share the open ssh sessions.
#[derive(Clone)]
pub struct Vm {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    spec: spec::Domain,
    plan: spec::PlannedVm,
    description: DomainDescription,
    devices: Box<dyn Devices>,
    vnc_password: Option<PathBuf>,
    connection: Arc<Connection>,
    reach: Arc<VmReach>,
    way: Arc<dyn Reach>,
    ssh: Ssh,
    agent: Agent,
}

/// What a VM is made of.
pub(crate) struct VmParts {
    pub(crate) spec: spec::Domain,
    pub(crate) plan: spec::PlannedVm,
    /// Without disks, which come from `devices` whenever it starts.
    pub(crate) description: DomainDescription,
    pub(crate) devices: Box<dyn Devices>,
    /// The file with the password of its display, if that can be looked at.
    pub(crate) vnc_password: Option<PathBuf>,
    pub(crate) connection: Arc<Connection>,
    pub(crate) reach: Arc<VmReach>,
    /// How connections to it are made.
    pub(crate) way: Arc<dyn Reach>,
    pub(crate) ssh: Ssh,
}

impl Vm {
    pub(crate) fn new(parts: VmParts) -> Self {
        let VmParts { spec, plan, description, devices, vnc_password, connection, reach, way, ssh } =
            parts;
        let name = plan.name.clone();
        let agent = Agent::new(name.clone(), reach.clone());
        Self {
            inner: Arc::new(Inner {
                name,
                spec,
                plan,
                description,
                devices,
                vnc_password,
                connection,
                reach,
                way,
                ssh,
                agent,
            }),
        }
    }

    /// The name in the init file, which is the guest's host name too.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The address on the management network.
    pub fn ip(&self) -> IpAddr {
        self.inner.ssh.target().address.ip()
    }

    /// The network cards, in the order of the init file.
    pub fn nics(&self) -> &[spec::PlannedNic] {
        &self.inner.plan.nics
    }

    /// What the init file says of this VM.
    pub fn spec(&self) -> &spec::Domain {
        &self.inner.spec
    }

    /// The name under which libvirt knows the domain.
    pub fn libvirt_name(&self) -> &str {
        &self.inner.description.name
    }

    /// The file that records everything which the guest writes to its serial console.
    pub fn console_log(&self) -> &Path {
        &self.inner.description.console_log
    }

    /// The way into the guest: its pool of ssh sessions.
    pub fn ssh(&self) -> &Ssh {
        &self.inner.ssh
    }

    /// Whether the guest is known by a host key that it was given, rather than by the first one that it showed.
    pub fn has_given_host_key(&self) -> bool {
        matches!(self.inner.ssh.target().host_key, HostKey::Given(_))
    }

    /// The QEMU guest agent in the guest, for what works without network and sshd.
    pub fn agent(&self) -> &Agent {
        &self.inner.agent
    }

    /// How the VM's processors run.
    pub(crate) fn acceleration(&self) -> Acceleration {
        self.inner.description.acceleration
    }

    /// Asks libvirt something about the domain.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        limit: Duration,
        question: impl FnOnce(&Domain) -> Result<T, Error> + Send + 'static,
    ) -> Result<Result<T, Error>, VirtError> {
        self.require_virtual("be asked of libvirt")?;
        let name = self.libvirt_name().to_owned();
        self.inner.connection.call(limit, move |connect| {
            connect.lookup_domain_by_name(&name).and_then(|domain| question(&domain))
        })
    }

    /// Changes the domain, which has to be there.
    pub(super) fn change<T: Send + 'static>(
        &self,
        action: &'static str,
        change: impl FnOnce(&Domain) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, VirtError> {
        self.change_within(CHANGE_LIMIT, action, change)
    }

    /// As [`Self::change`], with a limit of its own.
    pub(super) fn change_within<T: Send + 'static>(
        &self,
        limit: Duration,
        action: &'static str,
        change: impl FnOnce(&Domain) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, VirtError> {
        self.require_virtual(action)?;
        self.ask(limit, change)?.map_err(|e| self.gone_or(action, &e))
    }

    /// The error of something that needs the domain, which may not be there.
    fn gone_or(&self, action: &'static str, source: &Error) -> VirtError {
        if source.code().is(ErrorNumber::NoDomain) {
            return VirtError::NotRunning {
                vm: self.name().to_owned(),
                reason: format!("libvirt was to {action} it, and does not know it"),
                console: console::tail(self.console_log()),
            };
        }
        self.error(action, source)
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.inner.connection
    }

    pub(super) fn error(&self, action: &'static str, source: &Error) -> VirtError {
        VirtError::Vm {
            vm: self.inner.name.clone(),
            action,
            message: source.message().to_owned(),
            hint: crate::virt::hint_of(source),
        }
    }
}

impl fmt::Debug for Vm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vm")
            .field("name", &self.name())
            .field("ip", &self.ip())
            .finish_non_exhaustive()
    }
}
