//! `/templates/{id}`.

use super::super::error::ApiError;
use super::super::service::{Collection, Resource};
use super::super::types::{Action, DiskAttachment, Nic, StorageDomain, Template};

impl Resource<Template> {
    /// Its disks.
    pub fn disk_attachments(&self) -> Collection<DiskAttachment> {
        self.below("diskattachments")
    }

    /// Its network cards.
    pub fn nics(&self) -> Collection<Nic> {
        self.below("nics")
    }

    /// Copies it into an export domain.
    pub fn export(&self, to: &StorageDomain) -> Result<(), ApiError> {
        let storage_domain = Some(Box::new(StorageDomain::with_id(to.id()?)));
        self.action("export", &Action { storage_domain, ..Action::default() }).map(drop)
    }
}
