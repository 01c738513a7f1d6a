//! A machine that lago does not start: only reached over ssh, and as a VM where that suffices.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::{Vm, VmState};
use crate::spec::VmProvider;
use crate::virt::VirtError;

/// How long its ssh server may take to accept a connection, when it is asked what the machine does.
const LOOK_LIMIT: Duration = Duration::from_secs(3);

impl Vm {
    /// Whether it is a machine that exists already (`vm-provider: ssh` in the init file). Commands, copies, services and
    /// collecting are as with a VM. Starting it waits for its ssh, stopping it does nothing, and it is no part of snapshots.
    pub fn is_remote(&self) -> bool {
        self.spec().vm_provider == VmProvider::Ssh
    }

    /// Running, if its ssh server accepts connections.
    pub(super) fn remote_state(&self) -> VmState {
        match self.dial(LOOK_LIMIT) {
            Ok(_) => VmState::Running,
            Err(_) => VmState::Down,
        }
    }

    /// A connection to its ssh server, about which nothing is known yet.
    pub(crate) fn dial(&self, limit: Duration) -> std::io::Result<TcpStream> {
        self.inner.way.connect(self.ssh().target().address, limit)
    }

    /// A connection to one of its ports.
    pub(crate) fn connect(&self, port: u16, limit: Duration) -> std::io::Result<TcpStream> {
        self.inner.way.connect(SocketAddr::from((self.ip(), port)), limit)
    }

    /// Refuses what only a VM can.
    pub(crate) fn require_virtual(&self, action: &'static str) -> Result<(), VirtError> {
        if self.is_remote() {
            return Err(VirtError::Remote { vm: self.name().to_owned(), action });
        }
        Ok(())
    }
}
