//! Domains and networks under libvirt.
//!
//! [`VirtEnv`] is all of a prefix's; [`Vm`] and [`Network`] are one of them. The descriptions that libvirt gets are
//! pure values ([`domain_xml::DomainDescription`], [`network_xml::NetworkDescription`]) that write themselves as XML.

pub(crate) mod checkpoint;
pub(crate) mod connection;
pub mod domain_xml;
mod env;
pub mod faults;
mod forward;
mod isolation;
pub(crate) mod leases;
mod live_xml;
pub(crate) mod names;
mod network;
pub mod network_xml;
pub(crate) mod reach;
mod saved_xml;
mod screenshot;
mod subnets_in_use;
pub(crate) mod tap;
mod vm;
mod xml;

pub use checkpoint::state_limit;
pub use env::VirtEnv;
pub use faults::{Impairment, Partition};
pub use forward::Forward;
pub use network::Network;
pub use screenshot::SCREENSHOT_LIMIT;
pub(crate) use subnets_in_use::subnets_in_use;
pub(crate) use vm::{AttachedCard, Devices, NewDiskSource, VmParts};
pub use vm::{NewDisk, Nic, Vm, VmEnding, VmState};

use std::time::Duration;

use crate::host::HostError;

/// What goes wrong with libvirt.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VirtError {
    /// The host of the domains is not there.
    #[error(transparent)]
    Host(#[from] HostError),
    /// Nothing answers at libvirt's address.
    #[error("cannot connect to libvirt at {uri}: {message}; `lago doctor` says what is missing")]
    Connect {
        /// The address.
        uri: String,
        /// What libvirt said.
        message: String,
    },
    /// libvirt was asked, and says nothing.
    #[error("libvirt gave no answer within {} s; it hangs, or its machine is too busy: try again, or stop it", limit.as_secs())]
    NoAnswer {
        /// How long it was waited for.
        limit: Duration,
    },
    /// An operation on a domain failed.
    #[error("cannot {action} VM {vm}: {message}{hint}")]
    Vm {
        /// The VM's name in the init file.
        vm: String,
        /// What was being done: `start`, `stop`, ...
        action: &'static str,
        /// What libvirt said.
        message: String,
        /// What to do next; empty when libvirt's words say it.
        hint: String,
    },
    /// An operation on a network failed.
    #[error("cannot {action} network {net}: {message}{hint}")]
    Network {
        /// The network's name in the init file.
        net: String,
        /// What was being done: `start`, `stop`, ...
        action: &'static str,
        /// What libvirt said.
        message: String,
        /// What to do next; empty when libvirt's words say it.
        hint: String,
    },
    /// A name cannot be added to a network.
    #[error("the name {name:?} cannot be added to network {net}: {reason}")]
    Mapping {
        /// The network's name in the init file.
        net: String,
        /// The name that was to be added.
        name: String,
        /// Why not, and what to do.
        reason: String,
    },
    /// The networks could not be listed.
    #[error("cannot list libvirt's networks: {message}")]
    Networks {
        /// What libvirt said.
        message: String,
    },
    /// The VM is on no management network.
    #[error("VM {vm} has no NIC on a management network, so it cannot be reached")]
    NoAddress {
        /// The VM's name in the init file.
        vm: String,
    },
    /// The environment has no VM of this name.
    #[error("there is no VM {name} in this environment; it has {known}")]
    UnknownVm {
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// The VM has no such card.
    #[error("VM {vm} has no NIC number {number}; it has {known}, counted from 0")]
    UnknownNic {
        /// The VM's name in the init file.
        vm: String,
        /// The number that was asked for.
        number: usize,
        /// How many there are.
        known: usize,
    },
    /// Something is asked of a machine that lago does not start.
    #[error(
        "{vm} is a machine that lago only reaches over ssh (`vm-provider: ssh`), and cannot {action}"
    )]
    Remote {
        /// The machine's name in the init file.
        vm: String,
        /// What was to be done.
        action: &'static str,
    },
    /// The VM's display cannot be looked at.
    #[error(
        "VM {vm} has no display to look at; write `graphics: vnc` into the init file. Screenshots need none"
    )]
    NoDisplay {
        /// The VM's name in the init file.
        vm: String,
    },
    /// A device cannot be attached or detached.
    #[error("VM {vm} cannot {action}: {reason}")]
    Device {
        /// The VM's name in the init file.
        vm: String,
        /// What was being done, to which device.
        action: String,
        /// Why not, and what to do.
        reason: String,
    },
    /// A fault of the network cannot be made or ended.
    #[error("the network cannot be disturbed as asked: {reason}")]
    Faults {
        /// Why not.
        reason: String,
    },
    /// The kernel cannot delay packets.
    #[error(
        "what comes to VM {vm} cannot be delayed: this machine's kernel has no netem. Load its module (`modprobe sch_netem`; \
         on Ubuntu it is in linux-modules-extra, on Fedora and Enterprise Linux in kernel-modules-extra), or use a kernel with \
         CONFIG_NET_SCH_NETEM"
    )]
    NoNetem {
        /// The VM's name in the init file.
        vm: String,
        /// What `tc` said.
        #[source]
        source: Box<crate::utils::CommandError>,
    },
    /// A port of a VM cannot be one of this machine.
    #[error(
        "cannot listen on {} for port {port} of VM {vm}; name another one with --port, or none",
        if *local == 0 { "a port of this machine".to_owned() } else { format!("port {local}") }
    )]
    Forward {
        /// The VM's name in the init file.
        vm: String,
        /// The port in the guest.
        port: u16,
        /// The port on this machine; zero for any.
        local: u16,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// What libvirt keeps of a domain cannot be read.
    #[error("the description of VM {vm} that libvirt gave is not understood: {reason}")]
    Description {
        /// The VM's name in the init file.
        vm: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The VM stands still, and what was asked needs it to run.
    #[error("VM {vm} is paused; `lago resume {vm}` lets it run on")]
    Paused {
        /// The VM's name in the init file.
        vm: String,
    },
    /// The VM stands still, because of a disk.
    #[error("VM {vm}: {}; `lago resume {vm}` lets it run on once that is mended", vm::IO_ERROR)]
    PausedByIoError {
        /// The VM's name in the init file.
        vm: String,
    },
    /// The VM is down, and what was asked needs it up.
    #[error("VM {vm} is not running ({reason}); `lago start {vm}` starts it{}", console_excerpt(.console))]
    NotRunning {
        /// The VM's name in the init file.
        vm: String,
        /// Why, as far as it is known.
        reason: String,
        /// The last lines of its console.
        console: String,
    },
}

fn console_excerpt(console: &str) -> String {
    if console.is_empty() {
        String::new()
    } else {
        format!("\nlast lines of its console:\n{console}")
    }
}

/// What to do next about an error, where libvirt's words do not say it.
fn hint_of(error: &virt::error::Error) -> String {
    // Networks come up with the VMs that are on them.
    let is_down = error.code().is(virt::error::ErrorNumber::NoNetwork);
    let hint = if is_down { "; `lago start` brings up all networks" } else { "" };
    hint.to_owned()
}
