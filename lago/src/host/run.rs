//! Programs of this machine in the namespaces of a host.

use super::{Host, Kind};
use crate::Result;
use crate::utils::{CommandOutput, HostCommand};

impl Host {
    /// Runs a program on the host, in all its namespaces, to its end, and requires success.
    pub fn run(&self, mut command: HostCommand) -> Result<CommandOutput> {
        self.enter(command.command_mut())?;
        Ok(command.run()?)
    }

    /// The URI of a libvirt that is not the prefix's alone.
    pub(crate) fn uri_if_shared(&self) -> Option<&str> {
        match &self.0 {
            Kind::Private(_) => None,
            Kind::Uri(uri) => Some(uri),
        }
    }
}
