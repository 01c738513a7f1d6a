//! Networks, and the cards that VMs have on them.

use serde::{Deserialize, Serialize};

use super::{Cluster, DataCenter, Mac};

enumeration! {
    /// Whether a network works on all hosts of its cluster.
    NetworkStatus {
        /// It does.
        Operational = "operational",
        /// It does not.
        NonOperational = "non_operational",
    }
}

enumeration! {
    /// What goes over a network.
    NetworkUsage {
        /// What VMs send.
        Vm = "vm",
        /// What the engine and hosts say to each other.
        Management = "management",
        /// Displays.
        Display = "display",
        /// VMs on their way to another host.
        Migration = "migration",
        /// All that has no way of its own.
        DefaultRoute = "default_route",
        /// Gluster.
        Gluster = "gluster",
    }
}

/// What goes over a network, all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usages {
    /// One after the other; none for a network that VMs cannot use.
    #[serde(rename = "usage", default)]
    pub usages: Vec<NetworkUsage>,
}

structure! {
    /// A part of a physical network.
    Vlan {
        /// Its number.
        #[serde(rename = "@id")]
        id: u16,
    }
}

object! {
    /// A network of a data center.
    Network in "networks", "network", searched {
        /// The data center.
        data_center: Box<DataCenter>,
        /// The cluster that it is used in.
        cluster: Box<Cluster>,
        /// Whether it works.
        status: NetworkStatus,
        /// What goes over it.
        usages: Usages,
        /// Its VLAN, if it has one.
        vlan: Vlan,
        /// The largest packet; 0 is what is usual.
        mtu: u32,
        /// Whether a host must have it.
        required: bool,
    }
}

object! {
    /// How cards of VMs are connected to a network.
    VnicProfile in "vnic_profiles", "vnic_profile" {
        /// The network.
        network: Box<Network>,
        /// Whether a card sees all that goes over the network.
        port_mirroring: bool,
    }
}

enumeration! {
    /// How a VM sees a card.
    NicInterface {
        /// virtio-net.
        Virtio = "virtio",
        /// An emulated Intel card.
        E1000 = "e1000",
        /// An emulated Realtek card.
        Rtl8139 = "rtl8139",
        /// A card of the host's.
        PciPassthrough = "pci_passthrough",
    }
}

object! {
    /// A network card of a VM.
    Nic in "nics", "nic" {
        /// How the VM sees it.
        interface: NicInterface,
        /// Whether its cable is in.
        linked: bool,
        /// Whether it is in the VM.
        plugged: bool,
        /// Its address.
        mac: Mac,
        /// How it is connected.
        vnic_profile: VnicProfile,
        /// Older engines: the network that it is on.
        network: Box<Network>,
    }
}
