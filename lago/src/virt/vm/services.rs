//! What a VM's guest says of itself: its services and its distribution.

use std::sync::Arc;

use super::Vm;
use crate::Result;
use crate::guest::{Cmd, GuestError, OsRelease, Output, Runner, Service};

/// What distributions call the service of the QEMU guest agent: Debian and Fedora, Enterprise Linux 6.
const AGENT_SERVICES: [&str; 2] = ["qemu-guest-agent", "qemu-ga"];

impl Runner for Vm {
    fn vm(&self) -> &str {
        self.name()
    }

    fn output(&self, command: &Cmd) -> Result<Output> {
        Self::output(self, command)
    }
}

impl Vm {
    /// A service of the guest. What controls it is asked of the guest, unless the init file has `service_provider`.
    pub fn service(&self, name: &str) -> Result<Service> {
        Service::find(Arc::new(self.clone()), name, self.spec().service_provider)
    }

    /// The service of the guest agent: the init file's `guest-agent`, or the one that the guest has by a usual name. To talk
    /// to the agent itself there is [`Self::agent`].
    pub fn guest_agent(&self) -> Result<Service> {
        if let Some(name) = &self.spec().guest_agent {
            return self.service(name);
        }
        let [usual, older] = AGENT_SERVICES;
        let service = self.service(usual)?;
        if service.exists()? { Ok(service) } else { self.service(older) }
    }

    /// What the guest's `os-release` says.
    pub fn os_release(&self) -> Result<OsRelease> {
        let text = self.run(Cmd::sh(OsRelease::SCRIPT))?;
        OsRelease::parse(&text.stdout()).ok_or_else(|| {
            let detail = format!("it names no distribution{}", text.said());
            GuestError::Content { vm: self.name().to_owned(), path: "/etc/os-release", detail }
                .into()
        })
    }

    /// The distribution in the guest: the init file's `distro`, or what the guest says, such as `debian 12`.
    pub fn distro(&self) -> Result<String> {
        match &self.spec().distro {
            Some(distro) => Ok(distro.clone()),
            None => Ok(self.os_release()?.to_string()),
        }
    }
}
