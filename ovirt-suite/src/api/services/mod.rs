//! What the objects of each kind can do, and what lies below them.

mod cluster;
mod data_center;
mod host;
mod job;
mod storage_domain;
mod template;
mod vm;

use super::connection::Connection;
use super::service::{Collection, Place, Resource};
use super::types::{
    Cluster, DataCenter, Disk, Event, Host, Job, Model, Network, StorageDomain, Template, Vm,
    VnicProfile,
};

/// What is at the top of the API.
impl Connection {
    /// `/datacenters`.
    pub fn data_centers(&self) -> Collection<DataCenter> {
        self.top("datacenters")
    }

    /// `/clusters`.
    pub fn clusters(&self) -> Collection<Cluster> {
        self.top("clusters")
    }

    /// `/hosts`.
    pub fn hosts(&self) -> Collection<Host> {
        self.top("hosts")
    }

    /// `/storagedomains`.
    pub fn storage_domains(&self) -> Collection<StorageDomain> {
        self.top("storagedomains")
    }

    /// `/vms`.
    pub fn vms(&self) -> Collection<Vm> {
        self.top("vms")
    }

    /// `/disks`.
    pub fn disks(&self) -> Collection<Disk> {
        self.top("disks")
    }

    /// `/templates`.
    pub fn templates(&self) -> Collection<Template> {
        self.top("templates")
    }

    /// `/networks`.
    pub fn networks(&self) -> Collection<Network> {
        self.top("networks")
    }

    /// `/vnicprofiles`.
    pub fn vnic_profiles(&self) -> Collection<VnicProfile> {
        self.top("vnicprofiles")
    }

    /// `/jobs`.
    pub fn jobs(&self) -> Collection<Job> {
        self.top("jobs")
    }

    /// `/events`, the newest first.
    pub fn events(&self) -> Collection<Event> {
        self.top("events")
    }

    fn top<T: Model>(&self, segment: &str) -> Collection<T> {
        Collection::at(Place::root(self).below(segment))
    }
}

impl<T: Model> Resource<T> {
    fn below<U: Model>(&self, segment: &str) -> Collection<U> {
        Collection::at(self.place.below(segment))
    }
}
