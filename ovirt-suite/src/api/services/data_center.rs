//! `/datacenters/{id}`, and the storage domains that are attached to it.

use super::super::error::ApiError;
use super::super::service::{Collection, Resource};
use super::super::types::{AttachedStorageDomain, Cluster, DataCenter, Network};

impl Resource<DataCenter> {
    /// Its storage domains. [`Collection::add`] attaches one, [`Resource::remove`] detaches it.
    pub fn storage_domains(&self) -> Collection<AttachedStorageDomain> {
        self.below("storagedomains")
    }

    /// Its clusters.
    pub fn clusters(&self) -> Collection<Cluster> {
        self.below("clusters")
    }

    /// Its networks.
    pub fn networks(&self) -> Collection<Network> {
        self.below("networks")
    }
}

impl Resource<AttachedStorageDomain> {
    /// Lets it be used.
    pub fn activate(&self) -> Result<(), ApiError> {
        self.act("activate")
    }

    /// Puts it into maintenance.
    pub fn deactivate(&self) -> Result<(), ApiError> {
        self.act("deactivate")
    }

    /// Takes it out of the data center; it must be in maintenance.
    pub fn detach(&self) -> Result<(), ApiError> {
        self.remove()
    }
}
