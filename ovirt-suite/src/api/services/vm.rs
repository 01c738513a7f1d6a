//! `/vms/{id}`, and what a VM has.

use super::super::error::ApiError;
use super::super::query::Query;
use super::super::service::{Collection, Resource};
use super::super::types::{Action, DiskAttachment, Host, Nic, Snapshot, Vm};

impl Resource<Vm> {
    /// Starts it, on a host that the engine chooses.
    pub fn start(&self) -> Result<(), ApiError> {
        self.act("start")
    }

    /// Starts it with what `vm` says for this once: on which host, standing still.
    pub fn start_with(&self, vm: Vm) -> Result<(), ApiError> {
        self.action("start", &Action { vm: Some(Box::new(vm)), ..Action::default() }).map(drop)
    }

    /// Pulls the plug.
    pub fn stop(&self) -> Result<(), ApiError> {
        self.act("stop")
    }

    /// Asks its guest to go down.
    pub fn shutdown(&self) -> Result<(), ApiError> {
        self.act("shutdown")
    }

    /// Asks its guest to start anew.
    pub fn reboot(&self) -> Result<(), ApiError> {
        self.act("reboot")
    }

    /// Writes its memory to its storage and stops it.
    pub fn suspend(&self) -> Result<(), ApiError> {
        self.act("suspend")
    }

    /// Moves it to another host, that the engine chooses unless it is given.
    pub fn migrate(&self, to: Option<&Host>) -> Result<(), ApiError> {
        let host = to.map(|host| host.id().map(|id| Box::new(Host::with_id(id)))).transpose()?;
        self.action("migrate", &Action { host, ..Action::default() }).map(drop)
    }

    /// Takes it out of its pool.
    pub fn detach(&self) -> Result<(), ApiError> {
        self.act("detach")
    }

    /// Its network cards.
    pub fn nics(&self) -> Collection<Nic> {
        self.below("nics")
    }

    /// Its disks.
    pub fn disk_attachments(&self) -> Collection<DiskAttachment> {
        self.below("diskattachments")
    }

    /// Its snapshots, among them the VM as it is now.
    pub fn snapshots(&self) -> Collection<Snapshot> {
        self.below("snapshots")
    }
}

impl Resource<Nic> {
    /// Plugs it in, while the VM runs too.
    pub fn activate(&self) -> Result<(), ApiError> {
        self.act("activate")
    }

    /// Pulls it out, while the VM runs too.
    pub fn deactivate(&self) -> Result<(), ApiError> {
        self.act("deactivate")
    }
}

impl Resource<DiskAttachment> {
    /// Plugs it in or pulls it out, while the VM runs too.
    pub fn set_active(&self, active: bool) -> Result<DiskAttachment, ApiError> {
        self.update(&DiskAttachment { active: Some(active), ..DiskAttachment::default() })
    }

    /// Takes the disk away from the VM; the disk stays.
    pub fn detach(&self) -> Result<(), ApiError> {
        self.remove_with(&Query::new().with("detach_only", "true"))
    }
}

impl Resource<Snapshot> {
    /// Puts the VM, which must be down, back to it.
    pub fn restore(&self, with_memory: bool) -> Result<(), ApiError> {
        let action = Action { restore_memory: Some(with_memory), ..Action::default() };
        self.action("restore", &action).map(drop)
    }
}
