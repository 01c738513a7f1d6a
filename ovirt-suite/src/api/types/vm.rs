//! Virtual machines.

use super::{Cluster, Cpu, DiskAttachment, Host, List, Nic, OperatingSystem, Snapshot, Template};

enumeration! {
    /// What a VM is doing.
    VmStatus {
        /// It does not run.
        Down = "down",
        /// Its disks are being worked on.
        ImageLocked = "image_locked",
        /// It moves to another host.
        Migrating = "migrating",
        /// QEMU does not answer.
        NotResponding = "not_responding",
        /// It stands still.
        Paused = "paused",
        /// It was asked to go down.
        PoweringDown = "powering_down",
        /// It starts, and its guest does not answer yet.
        PoweringUp = "powering_up",
        /// It restarts.
        RebootInProgress = "reboot_in_progress",
        /// Its memory is read from its storage.
        RestoringState = "restoring_state",
        /// Its memory is written to its storage.
        SavingState = "saving_state",
        /// Its memory is on its storage.
        Suspended = "suspended",
        /// No host has it.
        Unassigned = "unassigned",
        /// Its host does not answer.
        Unknown = "unknown",
        /// It runs.
        Up = "up",
        /// A host is looked for.
        WaitForLaunch = "wait_for_launch",
    }
}

enumeration! {
    /// What a VM is meant for, from which follow its defaults.
    VmType {
        /// One user with a display.
        Desktop = "desktop",
        /// No display.
        Server = "server",
        /// Speed above all.
        HighPerformance = "high_performance",
    }
}

object! {
    /// A virtual machine.
    Vm in "vms", "vm", searched {
        /// What it is doing.
        status: VmStatus,
        /// More about that.
        status_detail: String,
        /// The cluster that it is in.
        cluster: Box<Cluster>,
        /// What it was made from.
        template: Box<Template>,
        /// The host that it runs on.
        host: Box<Host>,
        /// What it is meant for.
        r#type: VmType,
        /// Its memory.
        memory: u64,
        /// What it gets of that in any case.
        memory_policy: MemoryPolicy,
        /// Its processors.
        cpu: Cpu,
        /// Its operating system.
        os: OperatingSystem,
        /// Where it may run.
        placement_policy: Placement,
        /// Of a start: whether it stands still at first.
        start_paused: bool,
        /// Whether it forgets what was written when it goes down.
        stateless: bool,
        /// The name that its guest agent reports.
        fqdn: String,
        /// Why it was stopped.
        stop_reason: String,
        /// Its network cards, when they are followed.
        nics: List<Nic>,
        /// Its disks, when they are followed.
        disk_attachments: List<DiskAttachment>,
        /// Its snapshots, when they are followed.
        snapshots: List<Snapshot>,
    }
}

structure! {
    /// What memory a VM gets.
    MemoryPolicy {
        /// What it gets in any case.
        guaranteed: u64,
        /// What it can be given at most.
        max: u64,
        /// Whether its host may take memory that it does not need.
        ballooning: bool,
    }
}

structure! {
    /// Where a VM may run.
    Placement {
        /// `migratable`, `user_migratable` or `pinned`.
        affinity: String,
        /// The hosts that it may run on.
        hosts: List<Host>,
    }
}
