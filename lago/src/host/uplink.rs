//! A way out of a private host for its guests: pasta, of the package passt.
//!
//! pasta holds a tap device in the host's network, and makes for each connection that comes through it a socket on this
//! machine, as any program of the user would: so it needs no privilege, and no rule on this machine. It runs with all of
//! the host's namespaces but the network, so it ends when the host does.
//!
//! Nothing comes in through it, and what listens on this machine's loopback interface is not reached. What listens on
//! its other addresses is, as it is for everybody on its network.
//!
//! The pasta of Debian 12 (2023-03) forgets that one end of a TCP connection has closed its direction: the other end
//! goes on waiting, and what it sends may come twice. Programs that close both directions at once, as most do, see
//! nothing of it; later versions do without.

use std::fs;
use std::io;
use std::path::Path;

use super::Host;
use super::Kind;
use super::device::Access;
use super::error::HostError;
use super::private::PrivateHost;
use super::search_path;
use crate::utils::{HostCommand, error_chain};

/// The device in the host's network through which its guests get out.
pub(crate) const UPLINK_DEVICE: &str = "uplink";

/// The host's address on it. Link-local ones cannot be those of a network, and are never passed on.
const ADDRESS: &str = "169.254.88.2";
const NETMASK: &str = "30";
/// The other end.
const GATEWAY: &str = "169.254.88.1";

/// The same for IPv6, in a /48 of its own (RFC 4193). pasta takes it where this machine has a way out by IPv6.
const ADDRESS6: &str = "fd66:6c61:676f::2";
const GATEWAY6: &str = "fd66:6c61:676f::1";

/// Where the host's network namespace is bound, as seen from inside. `init.sh` does that.
const NETWORK_NAMESPACE: &str = "/run/lago-net";

/// What pasta needs to make the device.
const TUN: &str = "/dev/net/tun";

/// The lock of who starts it.
const LOCK: &str = "uplink.lock";

/// Where names are asked for that are none of the environment's: pasta passes these questions to the name server of
/// this machine.
pub(crate) fn uplink_name_server() -> std::net::Ipv4Addr {
    GATEWAY.parse().expect("it is an address")
}

impl Host {
    /// Gives a private host that runs a way out, unless it has one, for those of its networks that may use it. The way
    /// ends with the host. Does nothing for a URI, whose networks are libvirt's to connect.
    ///
    /// # Errors
    /// When pasta is not installed or fails, and when this process may not use `/dev/net/tun`.
    pub fn start_uplink(&self) -> Result<(), HostError> {
        match &self.0 {
            Kind::Private(host) => host.start_uplink(),
            Kind::Uri(_) => Ok(()),
        }
    }
}

impl PrivateHost {
    fn start_uplink(&self) -> Result<(), HostError> {
        let failed = |reason: String| HostError::Uplink { dir: self.dir().to_owned(), reason };
        if self.is_around_this_process() {
            // From in here there is no way to what is around.
            return if has_uplink("self") {
                Ok(())
            } else {
                Err(failed("it can only be made by a process outside of the host".to_owned()))
            };
        }
        let process = self.running()?.pid.to_string();
        let _lock = self.lock(LOCK)?;
        if has_uplink(&process) {
            return Ok(());
        }
        usable(Path::new(TUN)).map_err(failed)?;
        let mut command = pasta(search_path::is_privileged());
        self.enter_but_network(command.command_mut())?;
        command.run().map_err(|error| failed(error_chain(&error)))?;
        Ok(())
    }
}

/// Whether the device is there in the network of a process. It goes with the pasta that holds it.
fn has_uplink(process: &str) -> bool {
    let devices = fs::read_to_string(format!("/proc/{process}/net/dev")).unwrap_or_default();
    devices.lines().any(|line| line.trim_start().split(':').next() == Some(UPLINK_DEVICE))
}

fn usable(device: &Path) -> Result<(), String> {
    let path = device.display();
    match Access::of(device) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(format!(
            "{path} does not exist, and pasta makes the way out with it; `sudo modprobe tun` may bring it"
        )),
        Err(error) => Err(format!(
            "{path} cannot be used ({error}), and pasta makes the way out with it; `sudo chmod 0666 {path}` opens it to all \
             users, as most distributions have it"
        )),
    }
}

/// pasta returns once the device is there, and goes on in the background.
fn pasta(privileged: bool) -> HostCommand {
    let command = HostCommand::new("pasta")
        .remedy("install it with `apt-get install passt` or `dnf install passt`, or write no `uplink: host`")
        .args(["--config-net", "--netns-only", "--netns", NETWORK_NAMESPACE])
        .args(["--ns-ifname", UPLINK_DEVICE, "--mtu", "1500"])
        .args(["--address", ADDRESS, "--netmask", NETMASK, "--gateway", GATEWAY])
        .args(["--address", ADDRESS6, "--gateway", GATEWAY6])
        .args(["--dns-forward", GATEWAY])
        // By itself it would make this machine's loopback interface reachable, and pass on every port that is open on
        // either side.
        .args(["--no-map-gw", "-t", "none", "-u", "none", "-T", "none", "-U", "none"]);
    // As another user than root it could not enter the network of a host that has no user namespace of its own. It gives
    // up all capabilities once it has.
    if privileged { command.args(["--runas", "0"]) } else { command }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_cannot_be_used_is_named_with_what_mends_it() {
        let missing = usable(Path::new("/nonexistent/tun")).unwrap_err();
        assert!(missing.contains("/nonexistent/tun") && missing.contains("modprobe"), "{missing}");
        // A directory is nothing that anybody can open to write, root neither.
        let denied = usable(Path::new("/proc")).unwrap_err();
        assert!(denied.contains("sudo chmod 0666 /proc"), "{denied}");
    }

    #[test]
    fn this_machine_has_no_device_of_that_name() {
        assert!(!has_uplink("self"));
        assert!(!has_uplink("no such process"));
    }
}
