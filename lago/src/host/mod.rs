//! Where domains run: on a private host, or on any libvirt by its URI.
//!
//! A private host is a libvirtd of a prefix's own in user, mount, network and PID namespaces of its own. It needs no
//! root, no group and no running daemon, and two of them may use the same subnet at the same time. The kernel kills all
//! that runs in it when its first process dies, so nothing is left behind.
//!
//! Everything works from outside its namespaces: [`Host::libvirt_uri`] for libvirt, [`Host::connect`] for TCP to the
//! guests, and [`Host::enter`] to run a command in them.
//!
//! ```no_run
//! use std::process::Command;
//! use lago::host::Host;
//!
//! let host = Host::private("/path/to/prefix/host");
//! host.start()?;
//! let mut command = Command::new("virsh");
//! host.enter(command.args(["-c", "qemu:///system", "list"]))?;
//! command.status().expect("virsh runs");
//! host.stop()?;
//! # Ok::<(), lago::host::HostError>(())
//! ```

mod acceleration;
mod capabilities_cache;
mod census;
mod connect;
mod descriptors;
mod device;
mod doctor;
mod error;
mod init_process;
mod kvm;
mod libvirt;
mod log;
mod namespaces;
mod outside;
mod private;
mod run;
mod search_path;
mod strays;
mod time;
mod uplink;
pub mod versions;

use std::env;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub use acceleration::{Acceleration, AccelerationChoice, Probe, UnknownAcceleration, probe};
use connect::TRIES_OF_GUEST;
pub use doctor::{Check, Status, doctor};
pub(crate) use doctor::{Executable, libguestfs_check};
pub use error::HostError;
use libvirt::Question;
pub(crate) use libvirt::keep_libvirt_quiet;
pub use outside::OUTSIDE_VARIABLE;
pub use private::HOST_VARIABLE;
use private::PrivateHost;
use rustix::net::sockopt;
pub use strays::{Stray, StrayReason, strays};
pub(crate) use uplink::{UPLINK_DEVICE, uplink_name_server};

/// Whether this machine has firmware for VMs with UEFI.
pub(crate) fn uefi_firmware() -> Check {
    doctor::uefi(&doctor::System::this())
}

/// The file with the code of that firmware.
pub(crate) fn uefi_executable() -> Option<Executable> {
    doctor::uefi_executable(&doctor::System::this())
}

/// The longest that libvirt at a URI may take to answer. A remote one is behind ssh, and may start on demand.
const URI_ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// How many connections may wait until they are accepted: what the standard library takes.
const LISTEN_BACKLOG: i32 = 128;

/// Where domains run.
#[derive(Debug, Clone)]
pub struct Host(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Private(PrivateHost),
    Uri(String),
}

impl Host {
    /// A private host that keeps its state in `dir`, which is `host` in the prefix. Nothing happens yet.
    pub fn private(dir: impl AsRef<Path>) -> Self {
        Self(Kind::Private(PrivateHost::new(dir.as_ref())))
    }

    /// The host of a libvirt that runs already, such as `qemu:///system`. Nothing happens yet.
    pub fn uri(uri: impl Into<String>) -> Self {
        Self(Kind::Uri(uri.into()))
    }

    /// Whether the host is the prefix's alone.
    pub fn is_private(&self) -> bool {
        matches!(self.0, Kind::Private(_))
    }

    /// Brings the host up, unless it is up, and returns when its libvirt answers.
    ///
    /// A private host outlives the process that started it. Two processes may call this at once. For a URI it only
    /// checks that libvirt answers.
    pub fn start(&self) -> Result<(), HostError> {
        match &self.0 {
            Kind::Private(host) => host.start(),
            Kind::Uri(uri) => match Question::ask(uri).answer(URI_ANSWER_LIMIT) {
                Some(Ok(())) => Ok(()),
                Some(Err(reason)) => Err(HostError::Libvirt { uri: uri.clone(), reason }),
                None => Err(HostError::Libvirt {
                    uri: uri.clone(),
                    reason: format!("no connection within {} s", URI_ANSWER_LIMIT.as_secs()),
                }),
            },
        }
    }

    /// Takes a private host down, and returns when nothing of it runs any more: no domain, no network, no process that
    /// entered it. Does nothing when it is down already, and nothing for a URI.
    pub fn stop(&self) -> Result<(), HostError> {
        match &self.0 {
            Kind::Private(host) => host.stop(),
            Kind::Uri(_) => Ok(()),
        }
    }

    /// Whether the private host is there. Always true for a URI: its libvirt is not ours to watch.
    pub fn is_running(&self) -> bool {
        match &self.0 {
            Kind::Private(host) => host.is_running(),
            Kind::Uri(_) => true,
        }
    }

    /// The log that libvirt keeps of a domain's QEMU, on this machine.
    pub fn qemu_log(&self, domain: &str) -> PathBuf {
        let logs = match &self.0 {
            Kind::Private(host) => host.qemu_logs(),
            Kind::Uri(uri) if uri.ends_with("/session") => user_cache().join("libvirt/qemu/log"),
            Kind::Uri(_) => PathBuf::from("/var/log/libvirt/qemu"),
        };
        logs.join(format!("{domain}.log"))
    }

    /// The URI under which this process reaches the host's libvirt.
    pub fn libvirt_uri(&self) -> Result<String, HostError> {
        match &self.0 {
            Kind::Private(host) => host.libvirt_uri(),
            Kind::Uri(uri) => Ok(uri.clone()),
        }
    }

    /// Makes a command run on the host, in all its namespaces. Changes nothing for a URI.
    ///
    /// Arguments, environment, standard streams, working directory and terminal stay as they are. Signals sent to the
    /// child process that `spawn` returns reach the command, killing it kills the command, and its exit status is the
    /// command's. Stopping the host kills the command.
    pub fn enter(&self, command: &mut Command) -> Result<(), HostError> {
        match &self.0 {
            Kind::Private(host) => host.enter(command),
            Kind::Uri(_) => Ok(()),
        }
    }

    /// Listens at an address in the host's network, where the guests are: that of a network's gateway, say.
    ///
    /// The listener belongs to this process, and needs none on the host. A private host that is stopped takes its network
    /// along: then nobody reaches the listener any more.
    ///
    /// # Errors
    /// When the host is not running, or the address is in use or not the host's.
    pub fn listen(&self, address: SocketAddr) -> Result<TcpListener, HostError> {
        let failed = |source: io::Error| HostError::Listen { address, source };
        let socket = self.tcp_socket(address)?;
        let listen = || {
            // The port of a server that has just ended can be used at once.
            sockopt::set_socket_reuseaddr(&socket, true)?;
            rustix::net::bind(&socket, &address)?;
            rustix::net::listen(&socket, LISTEN_BACKLOG)
        };
        listen().map_err(|error| failed(error.into()))?;
        let listener = TcpListener::from(socket);
        listener.set_nonblocking(false).map_err(failed)?;
        Ok(listener)
    }

    /// Connects to an address in the host's network, which is where the guests are, within a limit.
    pub fn connect(&self, address: SocketAddr, limit: Duration) -> Result<TcpStream, HostError> {
        connect::connect(|| self.tcp_socket(address), address, TRIES_OF_GUEST, limit)
    }

    /// As [`Self::enter`], for a command that is to reach machines outside of a private host, too: what uses this library in it
    /// gets its sockets to them from this process, as long as that lives.
    pub(crate) fn enter_reaching_outside(&self, command: &mut Command) -> Result<(), HostError> {
        if self.is_private() {
            let failed = HostError::io("offer sockets to a command on the private host");
            outside::offer(command).map_err(failed)?;
        }
        self.enter(command)
    }

    /// A TCP socket for an address in the host's network, not yet connected and not blocking.
    fn tcp_socket(&self, address: SocketAddr) -> Result<OwnedFd, HostError> {
        match &self.0 {
            Kind::Private(host) => host.tcp_socket(address),
            Kind::Uri(_) => namespaces::tcp_socket_here(address)
                .map_err(|source| HostError::Connect { address, source }),
        }
    }
}

/// Connects to an address in the network outside of private hosts: that of this process, unless whoever started it on one makes
/// sockets for it.
pub(crate) fn connect_outside(address: SocketAddr, limit: Duration) -> io::Result<TcpStream> {
    let failed = |source| HostError::Connect { address, source };
    let socket = || outside::tcp_socket_for(address).map_err(failed);
    connect::connect(socket, address, 1, limit).map_err(HostError::into_io)
}

/// Whether this process is on a private host and has no way to what is outside of it.
pub(crate) fn is_shut_in() -> bool {
    env::var_os(HOST_VARIABLE).is_some() && !outside::is_offered()
}

/// Where the user's libvirt keeps its logs.
fn user_cache() -> PathBuf {
    let home = || env::home_dir().unwrap_or_default().join(".cache");
    env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from)
}
