//! How ssh gets to a VM, and how it learns that the VM is gone.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use virt::error::ErrorNumber;

use super::connection::Connection;
use crate::guest::{Reach, console};
use crate::host::HostError;

/// How long a look at the VM may take. A libvirt that is slower must not make ssh overrun its own limits.
const LOOK_LIMIT: Duration = Duration::from_secs(3);

/// A VM as its ssh client sees it.
#[derive(Debug)]
pub(crate) struct VmReach {
    pub(crate) libvirt_name: String,
    pub(crate) connection: Arc<Connection>,
    pub(crate) console_log: PathBuf,
}

impl Reach for VmReach {
    /// The error keeps its kind: after a limit that passed, ssh tries again.
    fn connect(&self, address: SocketAddr, limit: Duration) -> io::Result<TcpStream> {
        self.connection.host().connect(address, limit).map_err(|error| match error {
            HostError::Connect { source, .. } => source,
            other => io::Error::other(other),
        })
    }

    /// Only libvirt's word counts: while it cannot be asked, the VM is taken to be there, unless its host is gone.
    fn gone(&self) -> Option<String> {
        if !self.connection.host().is_running() {
            return Some("the private host that it ran on was stopped".to_owned());
        }
        let name = self.libvirt_name.clone();
        let active = self.connection.call(LOOK_LIMIT, move |connect| {
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

#[cfg(test)]
mod tests {
    use rustix::net::{AddressFamily, SocketType};

    use super::*;
    use crate::host::Host;

    #[test]
    fn a_connection_that_is_not_answered_has_timed_out() {
        let listener = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&listener, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let listener = std::net::TcpListener::from(listener);
        let address = listener.local_addr().unwrap();
        let reach = VmReach {
            libvirt_name: "vm".to_owned(),
            connection: Arc::new(Connection::new(Host::uri("test:///default"))),
            console_log: PathBuf::new(),
        };
        // Nobody accepts, so what fits into the queue is soon used up.
        let connect = || reach.connect(address, Duration::from_millis(50));
        let mut open = Vec::new();
        let error = loop {
            match connect() {
                Ok(stream) => open.push(stream),
                Err(error) => break error,
            }
            assert!(open.len() < 16, "the queue of connections has no end");
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
    }
}
