//! The types of the API's model, as far as they are needed here.
//!
//! Everything in them is optional. In an answer it is there when the engine says it; in a request, what is there is to be set.
//! Sizes are in bytes, times in the engine's own form (RFC 3339).
//!
//! ```
//! use ovirt_suite::api::types::{Cluster, DataCenter, Host};
//!
//! let host = Host { address: Some("192.168.200.3".into()), cluster: Some(Box::new(Cluster::named("c"))), ..Host::named("h") };
//! assert_eq!(host.name.as_deref(), Some("h"));
//! assert!(DataCenter::named("dc").id().is_err());
//! ```

#[macro_use]
mod macros;

mod action;
mod cluster;
mod common;
mod data_center;
mod disk;
mod event;
mod host;
mod job;
mod list;
mod network;
mod snapshot;
mod storage_domain;
mod template;
mod vm;

pub use action::{Action, Fault};
pub use cluster::{Cluster, Cpu, CpuTopology};
pub use common::{Api, Id, Mac, OperatingSystem, ProductInfo, Secret, Version};
pub use data_center::{DataCenter, DataCenterStatus};
pub use disk::{Disk, DiskAttachment, DiskFormat, DiskInterface, DiskStatus};
pub use event::{Event, LogSeverity};
pub use host::{
    Host, HostNic, HostStatus, HostStorage, IscsiDetails, LogicalUnit, NfsVersion, Spm, Ssh,
    StorageType, VolumeGroup,
};
pub use job::{Job, JobStatus, Step};
pub use list::{List, Model};
pub use network::{
    Network, NetworkStatus, NetworkUsage, Nic, NicInterface, Usages, Vlan, VnicProfile,
};
pub use snapshot::{Snapshot, SnapshotStatus, SnapshotType};
pub use storage_domain::{
    AttachedStorageDomain, File, StorageDomain, StorageDomainStatus, StorageDomainType,
    StorageFormat,
};
pub use template::{ExportedTemplate, Template, TemplateStatus};
pub use vm::{MemoryPolicy, Placement, Vm, VmStatus, VmType};
