//! Storage domains.

use super::{DataCenter, Host, HostStorage, List};

enumeration! {
    /// What a storage domain is doing.
    StorageDomainStatus {
        /// It is used.
        Active = "active",
        /// It becomes used.
        Activating = "activating",
        /// It leaves its data center.
        Detaching = "detaching",
        /// No host reaches it.
        Inactive = "inactive",
        /// Something is being done to it.
        Locked = "locked",
        /// It is not used, on purpose.
        Maintenance = "maintenance",
        /// It differs between data centers.
        Mixed = "mixed",
        /// What uses it is stopped.
        PreparingForMaintenance = "preparing_for_maintenance",
        /// It belongs to no data center.
        Unattached = "unattached",
        /// Nobody knows.
        Unknown = "unknown",
    }
}

enumeration! {
    /// What a storage domain is for.
    StorageDomainType {
        /// The disks of VMs.
        Data = "data",
        /// VMs and templates on their way to another data center.
        Export = "export",
        /// Images of CDs.
        Iso = "iso",
        /// An image repository outside.
        Image = "image",
        /// A volume service outside.
        Volume = "volume",
    }
}

enumeration! {
    /// How a storage domain is written.
    StorageFormat {
        /// That of ISO and export domains.
        V1 = "v1",
        /// The second.
        V2 = "v2",
        /// The third.
        V3 = "v3",
        /// That of data centers of version 4.1 and 4.2.
        V4 = "v4",
        /// That of data centers from version 4.3 on.
        V5 = "v5",
    }
}

object! {
    /// Storage for disks, CDs or exports.
    StorageDomain in "storage_domains", "storage_domain", searched {
        /// What it is for.
        r#type: StorageDomainType,
        /// What it is doing, if it belongs to no data center; otherwise the [`AttachedStorageDomain`] says it.
        status: StorageDomainStatus,
        /// Whether it holds what the data center's storage is managed by.
        master: bool,
        /// What it is on.
        storage: HostStorage,
        /// How it is written.
        storage_format: StorageFormat,
        /// Of a new one: the host that makes it.
        host: Box<Host>,
        /// Of a new one: whether it exists already, and is taken over.
        import: bool,
        /// Free bytes.
        available: u64,
        /// Bytes that are used.
        used: u64,
        /// Where it is attached.
        data_centers: List<DataCenter>,
    }
}

object! {
    /// A storage domain as a part of a data center.
    AttachedStorageDomain in "storage_domains", "storage_domain" {
        /// What it is for.
        r#type: StorageDomainType,
        /// What it is doing there.
        status: StorageDomainStatus,
        /// Whether it holds what the data center's storage is managed by.
        master: bool,
        /// What it is on.
        storage: HostStorage,
        /// The data center.
        data_center: Box<DataCenter>,
    }
}

object! {
    /// A file in an ISO domain: the image of a CD or of a floppy disk.
    File in "files", "file" {
        /// The domain.
        storage_domain: Box<StorageDomain>,
    }
}
