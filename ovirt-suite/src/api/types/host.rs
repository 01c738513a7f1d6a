//! Hosts, and the storage that they see.

use super::{Cluster, Id, List, Mac, Network, OperatingSystem, Secret, Version};

enumeration! {
    /// What a host is doing.
    HostStatus {
        /// The engine tries to reach it.
        Connecting = "connecting",
        /// It is switched off.
        Down = "down",
        /// Too many VMs failed to start on it.
        Error = "error",
        /// It is reached, and asked what it has.
        Initializing = "initializing",
        /// It could not be installed; the events say why.
        InstallFailed = "install_failed",
        /// It is being installed.
        Installing = "installing",
        /// Its operating system is being installed.
        InstallingOs = "installing_os",
        /// Its kernel has crashed and writes its memory down.
        Kdumping = "kdumping",
        /// It runs no VMs, on purpose.
        Maintenance = "maintenance",
        /// It does not fit its cluster: its processor, its networks or its storage.
        NonOperational = "non_operational",
        /// It is not reached any more.
        NonResponsive = "non_responsive",
        /// Somebody has to admit it.
        PendingApproval = "pending_approval",
        /// Its VMs are leaving.
        PreparingForMaintenance = "preparing_for_maintenance",
        /// It restarts.
        Reboot = "reboot",
        /// Nothing is known of it yet.
        Unassigned = "unassigned",
        /// It runs VMs.
        Up = "up",
    }
}

object! {
    /// A machine that runs VMs.
    Host in "hosts", "host", searched {
        /// Its name in the DNS, or its IP address.
        address: String,
        /// The cluster that it is in.
        cluster: Box<Cluster>,
        /// What it is doing.
        status: HostStatus,
        /// More about that.
        status_detail: String,
        /// Of a new host: root's password, by which it is installed.
        root_password: Secret,
        /// Of a new host: whether its firewall is set up.
        override_iptables: bool,
        /// How the engine gets in.
        ssh: Ssh,
        /// Whether it manages the data center's storage.
        spm: Spm,
        /// Its memory.
        memory: u64,
        /// Its operating system.
        os: OperatingSystem,
        /// What it runs: VDSM's version.
        version: Version,
        /// Its network cards, when they are followed.
        nics: List<HostNic>,
    }
}

structure! {
    /// How the engine gets into a host.
    Ssh {
        /// `password` or `publickey`.
        authentication_method: String,
        /// The port.
        port: u16,
        /// The fingerprint of the host's key.
        fingerprint: String,
    }
}

structure! {
    /// Whether a host manages the storage of its data center.
    Spm {
        /// `spm`, `contending` or `none`.
        status: String,
        /// How soon it is its turn.
        priority: i32,
    }
}

object! {
    /// A network card of a host.
    HostNic in "host_nics", "host_nic" {
        /// Its address.
        mac: Mac,
        /// The network that it is on.
        network: Box<Network>,
        /// `up` or `down`.
        status: String,
    }
}

enumeration! {
    /// What a storage is on.
    StorageType {
        /// An NFS export.
        Nfs = "nfs",
        /// LUNs of an iSCSI target.
        Iscsi = "iscsi",
        /// LUNs over Fibre Channel.
        Fcp = "fcp",
        /// A directory of the host.
        LocalFs = "localfs",
        /// Any file system that POSIX describes.
        PosixFs = "posixfs",
        /// Gluster.
        GlusterFs = "glusterfs",
        /// An image repository outside.
        Glance = "glance",
    }
}

enumeration! {
    /// The version of NFS that is spoken.
    NfsVersion {
        /// What the server and the host agree on.
        Auto = "auto",
        /// 3.
        V3 = "v3",
        /// 4.
        V4 = "v4",
        /// 4.0.
        V4_0 = "v4_0",
        /// 4.1.
        V4_1 = "v4_1",
        /// 4.2.
        V4_2 = "v4_2",
    }
}

object! {
    /// A storage as a host sees it.
    HostStorage in "host_storages", "host_storage" {
        /// What it is on.
        r#type: StorageType,
        /// Of NFS: the server. Of iSCSI: the portal's.
        address: String,
        /// Of NFS: the export.
        path: String,
        /// Of NFS: the version.
        nfs_version: NfsVersion,
        /// Of iSCSI: the port.
        port: u16,
        /// Of iSCSI: the target's name (IQN).
        target: String,
        /// Of iSCSI: its LUNs.
        logical_units: List<LogicalUnit>,
        /// Of iSCSI: the volume group on the LUNs.
        volume_group: VolumeGroup,
        /// Whether LUNs are taken that hold something already.
        override_luns: bool,
    }
}

structure! {
    /// LUNs that are used as one.
    VolumeGroup {
        /// Its identifier.
        #[serde(rename = "@id")]
        id: Id,
        /// Its LUNs.
        logical_units: List<LogicalUnit>,
    }
}

object! {
    /// A LUN.
    LogicalUnit in "logical_units", "logical_unit" {
        /// The portal's address.
        address: String,
        /// The portal's port.
        port: u16,
        /// The target's name (IQN).
        target: String,
        /// The name with which one logs in.
        username: String,
        /// The password with which one logs in.
        password: Secret,
        /// Its size.
        size: u64,
        /// Its serial number.
        serial: String,
        /// `free`, `used` or `unusable`.
        status: String,
        /// Its number at the target.
        lun_mapping: u32,
        /// Who made it.
        vendor_id: String,
        /// What it is.
        product_id: String,
    }
}

object! {
    /// A target, or a portal at which targets are looked for.
    IscsiDetails in "iscsi_details", "iscsi_details" {
        /// The portal's address.
        address: String,
        /// The portal's port.
        port: u16,
        /// The portal: address, port and group.
        portal: String,
        /// The target's name (IQN).
        target: String,
        /// The name with which one logs in.
        username: String,
        /// The password with which one logs in.
        password: Secret,
    }
}
