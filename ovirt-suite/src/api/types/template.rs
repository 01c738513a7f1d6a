//! Templates.

use super::{Cluster, DiskAttachment, List, Vm};

enumeration! {
    /// Whether a template can be used.
    TemplateStatus {
        /// It can.
        Ok = "ok",
        /// Something is being done to it.
        Locked = "locked",
        /// It cannot.
        Illegal = "illegal",
    }
}

object! {
    /// What VMs are made from.
    Template in "templates", "template", searched {
        /// Whether it can be used.
        status: TemplateStatus,
        /// Of a new one: the VM that it is made from.
        vm: Box<Vm>,
        /// The cluster that it is in.
        cluster: Box<Cluster>,
        /// Memory of its VMs.
        memory: u64,
        /// Its disks, when they are followed.
        disk_attachments: List<DiskAttachment>,
    }
}

object! {
    /// A template in an export domain, or one in a data domain that the engine has not taken over.
    ExportedTemplate in "templates", "template" {
        /// Memory of its VMs.
        memory: u64,
    }
}
