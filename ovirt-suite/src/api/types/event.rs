//! What has happened.

use super::{Cluster, DataCenter, Host, Id, StorageDomain, Vm};

enumeration! {
    /// How bad an event is.
    LogSeverity {
        /// Not at all.
        Normal = "normal",
        /// Somebody should look.
        Warning = "warning",
        /// Something failed.
        Error = "error",
        /// Somebody must look.
        Alert = "alert",
    }
}

object! {
    /// Something that has happened. What it was, is its `description`.
    Event in "events", "event", searched {
        /// What kind of thing, by the engine's list of audit log types: 32 is a started VM.
        code: u32,
        /// How bad it is.
        severity: LogSeverity,
        /// When it happened.
        time: String,
        /// Its number, which only grows.
        index: u64,
        /// What the request gave of which it came.
        correlation_id: Id,
        /// The data center that it is about.
        data_center: Box<DataCenter>,
        /// The cluster that it is about.
        cluster: Box<Cluster>,
        /// The host that it is about.
        host: Box<Host>,
        /// The VM that it is about.
        vm: Box<Vm>,
        /// The storage domain that it is about.
        storage_domain: Box<StorageDomain>,
    }
}
