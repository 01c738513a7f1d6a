//! Programs of this machine in the namespaces of a host.

use super::{Host, Kind, search_path};
use crate::Result;
use crate::utils::{CommandOutput, HostCommand};

impl Host {
    /// Runs a program on the host, in all its namespaces, to its end, and requires success. It may be one for
    /// administrators, such as `nft`, which not every plain user has on the search path.
    pub fn run(&self, command: HostCommand) -> Result<CommandOutput> {
        let mut command = command.env("PATH", search_path::with_system_directories());
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
