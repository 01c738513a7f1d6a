//! Disks.

use super::{List, Snapshot, StorageDomain};

enumeration! {
    /// Whether a disk can be used.
    DiskStatus {
        /// It can.
        Ok = "ok",
        /// Something is being done to it.
        Locked = "locked",
        /// It cannot.
        Illegal = "illegal",
    }
}

enumeration! {
    /// How a disk is written.
    DiskFormat {
        /// qcow2.
        Cow = "cow",
        /// The bytes of the disk and nothing else.
        Raw = "raw",
    }
}

enumeration! {
    /// How a VM sees a disk.
    DiskInterface {
        /// virtio-blk.
        Virtio = "virtio",
        /// virtio-scsi.
        VirtioScsi = "virtio_scsi",
        /// An emulated IDE disk.
        Ide = "ide",
        /// An emulated SATA disk.
        Sata = "sata",
    }
}

object! {
    /// A disk.
    Disk in "disks", "disk", searched {
        /// Another name for its name.
        alias: String,
        /// How it is written.
        format: DiskFormat,
        /// Whether space is taken only for what is written.
        sparse: bool,
        /// The size that a VM sees.
        provisioned_size: u64,
        /// The size that it has on its storage.
        actual_size: u64,
        /// Whether it can be used.
        status: DiskStatus,
        /// Of a new disk: where it is made.
        storage_domains: List<StorageDomain>,
        /// Whether several VMs may use it at the same time.
        shareable: bool,
        /// Of the disk of a snapshot: its image.
        image_id: String,
        /// The snapshot that it belongs to.
        snapshot: Box<Snapshot>,
    }
}

object! {
    /// A disk of a VM.
    DiskAttachment in "disk_attachments", "disk_attachment" {
        /// Whether the VM sees it.
        active: bool,
        /// Whether the VM starts from it.
        bootable: bool,
        /// How the VM sees it.
        interface: DiskInterface,
        /// What the guest calls it.
        logical_name: String,
        /// Whether it cannot be written to.
        read_only: bool,
        /// The disk.
        disk: Disk,
    }
}
