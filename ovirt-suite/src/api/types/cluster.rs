//! Clusters.

use super::{DataCenter, Version};

structure! {
    /// Processors.
    Cpu {
        /// `x86_64`.
        architecture: String,
        /// Of a cluster the oldest kind that its hosts may have: `Intel Conroe Family`.
        r#type: String,
        /// How many, and in which sockets.
        topology: CpuTopology,
    }
}

structure! {
    /// How many processors, and in which sockets.
    CpuTopology {
        /// Sockets.
        sockets: u32,
        /// Cores in each of them.
        cores: u32,
        /// Threads in each core.
        threads: u32,
    }
}

object! {
    /// Hosts between which VMs can move.
    Cluster in "clusters", "cluster", searched {
        /// What processors its hosts have at least.
        cpu: Cpu,
        /// What it belongs to.
        data_center: Box<DataCenter>,
        /// What it is compatible with.
        version: Version,
        /// Whether hosts take memory from VMs that do not need it.
        ballooning_enabled: bool,
    }
}
