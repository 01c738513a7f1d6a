//! How ssh gets to a VM, and how it learns that the VM is gone.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use virt::error::ErrorNumber;

use super::connection::{Connection, QUESTION_LIMIT};
use crate::guest::{Reach, console};

/// A VM as its ssh client sees it.
#[derive(Debug)]
pub(crate) struct VmReach {
    pub(crate) libvirt_name: String,
    pub(crate) connection: Arc<Connection>,
    pub(crate) console_log: PathBuf,
}

impl Reach for VmReach {
    fn connect(&self, address: SocketAddr, limit: Duration) -> io::Result<TcpStream> {
        self.connection.host().connect(address, limit).map_err(io::Error::other)
    }

    /// Only libvirt's word counts: while it cannot be asked, the VM is taken to be there, unless its host is gone.
    fn gone(&self) -> Option<String> {
        if !self.connection.host().is_running() {
            return Some("the private host that it ran on was stopped".to_owned());
        }
        let name = self.libvirt_name.clone();
        let active = self.connection.call(QUESTION_LIMIT, move |connect| {
            connect.lookup_domain_by_name(&name).and_then(|domain| domain.is_active())
        });
        match active.ok()? {
            Ok(false) => Some("libvirt says that it is shut off".to_owned()),
            Err(e) if e.code().is(ErrorNumber::NoDomain) => Some(
                "its QEMU process has ended: it was stopped, powered off or has crashed".to_owned(),
            ),
            Ok(true) | Err(_) => None,
        }
    }

    fn console_tail(&self) -> String {
        console::tail(&self.console_log)
    }
}
