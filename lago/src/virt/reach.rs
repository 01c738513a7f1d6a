//! How ssh and the guest agent get to a VM, and how ssh learns that the VM is gone.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use virt::error::ErrorNumber;

use super::connection::Connection;
use super::vm::{IO_ERROR, is_io_error};
use crate::guest::{AgentChannel, AgentFault, Reach, console};
use crate::host::{self, HostError};

/// How long a look at the VM may take. A libvirt that is slower must not make ssh overrun its own limits.
const LOOK_LIMIT: Duration = Duration::from_secs(3);

/// A VM as its ssh client sees it.
#[derive(Debug)]
pub(crate) struct VmReach {
    pub(crate) libvirt_name: String,
    pub(crate) connection: Arc<Connection>,
    pub(crate) console_log: PathBuf,
    /// libvirt's number of the domain when it was last asked: each start and each revert gives a new one. Zero until
    /// it is known.
    run: AtomicU32,
}

impl VmReach {
    pub(crate) fn new(
        libvirt_name: String,
        connection: Arc<Connection>,
        console_log: PathBuf,
    ) -> Self {
        Self { libvirt_name, connection, console_log, run: AtomicU32::new(0) }
    }

    /// Notes the number that the domain has now, and whether it had another one before.
    pub(super) fn is_other_run(&self, now: Option<u32>) -> bool {
        let Some(now) = now else { return false };
        let before = self.run.swap(now, Ordering::Relaxed);
        before != 0 && before != now
    }
}

impl Reach for VmReach {
    /// The error keeps its kind: after a limit that passed, ssh tries again.
    fn connect(&self, address: SocketAddr, limit: Duration) -> io::Result<TcpStream> {
        self.connection.host().connect(address, limit).map_err(HostError::into_io)
    }

    /// Only libvirt's word counts: while it cannot be asked, the VM is taken to be there, unless its host is gone.
    fn gone(&self) -> Option<String> {
        if !self.connection.host().is_running() {
            return Some("the private host that it ran on was stopped".to_owned());
        }
        let name = self.libvirt_name.clone();
        let active = self.connection.call(LOOK_LIMIT, move |connect| {
            let domain = connect.lookup_domain_by_name(&name)?;
            Ok::<_, virt::error::Error>((domain.is_active()?, domain.state()?.1, domain.id()))
        });
        match active.ok()? {
            Ok((false, ..)) => Some("libvirt says that it is shut off".to_owned()),
            Ok((true, reason, _)) if is_io_error(reason) => Some(IO_ERROR.to_owned()),
            Err(e) if e.code().is(ErrorNumber::NoDomain) => Some(
                "its QEMU process has ended: it was stopped, powered off or has crashed".to_owned(),
            ),
            Ok((true, _, run)) => {
                self.is_other_run(run);
                None
            }
            Err(_) => None,
        }
    }

    fn run(&self) -> Option<u32> {
        Some(self.run.load(Ordering::Relaxed)).filter(|&run| run != 0)
    }

    fn console_tail(&self) -> String {
        console::tail(&self.console_log)
    }
}

/// A machine that lago does not start, as its ssh client sees it: somewhere in the network of this machine.
#[derive(Debug)]
pub(crate) struct RemoteReach;

impl Reach for RemoteReach {
    fn connect(&self, address: SocketAddr, limit: Duration) -> io::Result<TcpStream> {
        host::connect_outside(address, limit).map_err(|error| {
            if !host::is_shut_in() {
                return error;
            }
            let reason =
                "this process is on a private host, where nothing outside of it is reached";
            io::Error::new(error.kind(), format!("{error}; {reason}"))
        })
    }

    /// Nobody knows.
    fn gone(&self) -> Option<String> {
        None
    }

    fn console_tail(&self) -> String {
        String::new()
    }
}

impl AgentChannel for VmReach {
    fn ask(&self, question: &str, limit: Duration) -> Result<String, AgentFault> {
        let (name, question) = (self.libvirt_name.clone(), question.to_owned());
        // libvirt counts whole seconds, and waits for ever from zero on.
        let seconds = i32::try_from(limit.as_secs()).unwrap_or(i32::MAX).max(1);
        let patience = limit.max(Duration::from_secs(1)) + LOOK_LIMIT;
        let answer = self.connection.call(patience, move |connect| {
            connect.lookup_domain_by_name(&name)?.qemu_agent_command(&question, seconds, 0)
        });
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) if error.code().is(ErrorNumber::InternalError) => {
                Err(AgentFault::Refused(error.message().to_owned()))
            }
            Ok(Err(error)) => Err(AgentFault::Silent(error.message().to_owned())),
            Err(error) => Err(AgentFault::Silent(error.to_string())),
        }
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
        let reach = VmReach::new(
            "vm".to_owned(),
            Arc::new(Connection::new(Host::uri("test:///default"))),
            PathBuf::new(),
        );
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
