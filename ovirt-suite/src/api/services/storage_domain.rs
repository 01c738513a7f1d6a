//! `/storagedomains/{id}`, and the templates in it.

use super::super::error::ApiError;
use super::super::query::Query;
use super::super::service::{Collection, Resource};
use super::super::types::{
    Action, Cluster, Disk, ExportedTemplate, File, Host, StorageDomain, Template,
};

impl Resource<StorageDomain> {
    /// The disks in it.
    pub fn disks(&self) -> Collection<Disk> {
        self.below("disks")
    }

    /// Of an ISO domain: the images of CDs in it, as the engine knows them.
    pub fn files(&self) -> Collection<File> {
        self.below("files")
    }

    /// Of an export domain: the templates in it. [`Query::with`]`("unregistered", "true")`, of a data domain: those that the
    /// engine has not taken over.
    pub fn templates(&self) -> Collection<ExportedTemplate> {
        self.below("templates")
    }

    /// Removes it, which this host does; with `format`, all that is in it as well. It must belong to no data center.
    pub fn remove_by(&self, host: &Host, format: bool) -> Result<(), ApiError> {
        let query =
            Query::new().with("host", host.id()?.as_str()).with("format", format.to_string());
        self.remove_with(&query)
    }

    /// Writes down in it which VMs and templates it has.
    pub fn update_ovf_store(&self) -> Result<(), ApiError> {
        self.act("updateovfstore")
    }
}

impl Resource<ExportedTemplate> {
    /// Copies it out of an export domain: its disks to a data domain, itself into a cluster, under a name that may be another.
    pub fn import(
        &self,
        storage_domain: &StorageDomain,
        cluster: &Cluster,
        name: Option<&str>,
    ) -> Result<(), ApiError> {
        let action = Action {
            storage_domain: Some(Box::new(StorageDomain::with_id(storage_domain.id()?))),
            cluster: Some(Box::new(Cluster::with_id(cluster.id()?))),
            template: name.map(|name| Box::new(Template::named(name))),
            ..Action::default()
        };
        self.action("import", &action).map(drop)
    }

    /// Takes it over where it is, in a data domain.
    pub fn register(&self, cluster: &Cluster) -> Result<(), ApiError> {
        let cluster = Some(Box::new(Cluster::with_id(cluster.id()?)));
        self.action("register", &Action { cluster, ..Action::default() }).map(drop)
    }
}
