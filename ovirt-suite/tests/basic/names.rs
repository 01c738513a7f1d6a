//! What things are called, as in oVirt's own suite.

pub(crate) const DATA_CENTER: &str = "test-dc";
pub(crate) const CLUSTER: &str = "test-cluster";

/// What the data center and the cluster are compatible with: what all engines from 4.3 to 4.5 can be.
pub(crate) const COMPATIBILITY: (u32, u32) = (4, 3);

/// The oldest processors that hosts of such clusters may have. QEMU emulates them.
pub(crate) const CPU_FAMILY: &str = "Intel Nehalem Family";

pub(crate) const NFS: &str = "nfs";
pub(crate) const ISCSI: &str = "iscsi";
pub(crate) const ISO: &str = "iso";
pub(crate) const EXPORT: &str = "templates";

/// The network that an engine makes with each data center.
pub(crate) const MANAGEMENT_NETWORK: &str = "ovirtmgmt";

/// The template that every engine has.
pub(crate) const BLANK: &str = "Blank";

pub(crate) const TEMPLATE: &str = "exported-template";

pub(crate) const VM0: &str = "vm0";
pub(crate) const VM1: &str = "vm1";
pub(crate) const VM0_DISK: &str = "vm0_disk0";
pub(crate) const VM0_NIC: &str = "eth0";
