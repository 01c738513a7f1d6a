//! Actions, and what comes of them.

use super::{
    AttachedStorageDomain, Cluster, Disk, Host, Id, IscsiDetails, Job, List, Secret, Ssh,
    StorageDomain, Template, Vm,
};

structure! {
    /// Why the engine does not do something.
    Fault {
        /// What failed, in a word or two: `Operation Failed`.
        reason: String,
        /// Why: `[Cannot add VM. The VM name is already in use.]`
        detail: String,
    }
}

impl Fault {
    /// The element that it is.
    pub(in crate::api) const TAG: &str = "fault";
}

object! {
    /// What an action takes, and what the engine answers.
    Action in "actions", "action" {
        /// How far it is: `complete`, `pending`, `failed`.
        status: String,
        /// Why it failed.
        fault: Fault,
        /// The job that does it.
        job: Job,
        /// Whether the engine answers before it is done.
        r#async: bool,
        /// Whether it is done although something speaks against it.
        force: bool,
        /// What somebody wrote about why.
        reason: String,
        /// Of a migration: where to. Of a start: where.
        host: Box<Host>,
        /// Of an import or a registration: where it goes.
        cluster: Box<Cluster>,
        /// Of an import, a copy or an export: where the disks go.
        storage_domain: Box<StorageDomain>,
        /// Of a copy: the disk.
        disk: Box<Disk>,
        /// Of an import: what it is to be.
        template: Box<Template>,
        /// Of a start: what is other than usual this time.
        vm: Box<Vm>,
        /// Of an installation: root's password.
        root_password: Secret,
        /// Of an installation: how the engine gets in.
        ssh: Ssh,
        /// Of a discovery or a login: the target or the portal.
        iscsi: IscsiDetails,
        /// What a discovery found, as newer engines say it.
        discovered_targets: List<IscsiDetails>,
        /// Of a deactivated storage domain: whether it is attached.
        is_attached: bool,
        /// Of a restored snapshot: with its memory.
        restore_memory: bool,
        /// Of a storage domain that is looked for.
        storage_domains: List<AttachedStorageDomain>,
        /// What the engine writes to the jobs and events that come of it.
        correlation_id: Id,
    }
}
