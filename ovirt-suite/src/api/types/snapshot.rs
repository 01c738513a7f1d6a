//! Snapshots of VMs.

use super::{DiskAttachment, List};

enumeration! {
    /// Whether a snapshot can be used.
    SnapshotStatus {
        /// It can.
        Ok = "ok",
        /// Something is being done to it.
        Locked = "locked",
        /// The VM is shown as it was then.
        InPreview = "in_preview",
    }
}

enumeration! {
    /// What a snapshot is.
    SnapshotType {
        /// The VM as it is now, which is listed among its snapshots.
        Active = "active",
        /// One that somebody took.
        Regular = "regular",
        /// What a preview can go back to.
        Preview = "preview",
        /// What a stateless VM goes back to.
        Stateless = "stateless",
    }
}

object! {
    /// A state of a VM that was kept. What it is called is its `description`.
    Snapshot in "snapshots", "snapshot" {
        /// When it was taken.
        date: String,
        /// Whether it has the memory.
        persist_memorystate: bool,
        /// Whether it can be used.
        snapshot_status: SnapshotStatus,
        /// What it is.
        snapshot_type: SnapshotType,
        /// Of a new one: the disks that it has, all if it does not say.
        disk_attachments: List<DiskAttachment>,
    }
}
