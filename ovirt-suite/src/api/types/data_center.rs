//! Data centers.

use super::{StorageFormat, Version};

enumeration! {
    /// What a data center is doing.
    DataCenterStatus {
        /// It has no storage yet.
        Uninitialized = "uninitialized",
        /// Its storage is there, and a host manages it.
        Up = "up",
        /// Its master storage domain is put into maintenance.
        Maintenance = "maintenance",
        /// No host manages its storage.
        NotOperational = "not_operational",
        /// Its storage cannot be reached, for now.
        Problematic = "problematic",
        /// Another host takes the storage over.
        Contend = "contend",
    }
}

object! {
    /// Clusters, networks and storage that belong together.
    DataCenter in "data_centers", "data_center", searched {
        /// Whether its storage is that of a single host.
        local: bool,
        /// What it is doing.
        status: DataCenterStatus,
        /// The format of its storage domains.
        storage_format: StorageFormat,
        /// What it is compatible with.
        version: Version,
    }
}
