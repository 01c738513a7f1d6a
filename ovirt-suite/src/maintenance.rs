//! Bringing an oVirt environment to rest, and back: storage and hosts in the order that the engine demands.

use lago::utils::{Probe, parallel};

use crate::api::types::{
    AttachedStorageDomain, Host, HostStatus, StorageDomainStatus, StorageDomainType,
};
use crate::api::{ApiError, Connection, Resource};
use crate::error::{Error, Result};
use crate::limits;
use crate::utils::wait_for_engine;

/// Puts all storage domains into maintenance, a data center's master last, and then all hosts.
///
/// # Errors
/// When the engine refuses, or something is not in maintenance within [`limits::MAINTENANCE`].
pub fn deactivate(engine: &Connection) -> Result<()> {
    let _span = tracing::info_span!("deactivate storage and hosts").entered();
    for domains in storage_domains(engine)? {
        let (masters, others): (Vec<_>, Vec<_>) = domains.into_iter().partition(Domain::is_master);
        parallel(others, Domain::deactivate)?;
        parallel(masters, Domain::deactivate)?;
    }
    parallel(engine.hosts().all()?, |host| deactivate_host(engine, &host))?;
    Ok(())
}

/// Lets all hosts run VMs again, and then brings up the storage, a data center's master first.
///
/// # Errors
/// When the engine refuses, or something is not up within [`limits::MAINTENANCE`].
pub fn activate(engine: &Connection) -> Result<()> {
    let _span = tracing::info_span!("activate hosts and storage").entered();
    parallel(engine.hosts().all()?, |host| activate_host(engine, &host))?;
    for domains in storage_domains(engine)? {
        let (masters, others): (Vec<_>, Vec<_>) = domains.into_iter().partition(Domain::is_master);
        parallel(masters, Domain::activate)?;
        parallel(others, Domain::activate)?;
    }
    Ok(())
}

/// A storage domain in its data center.
struct Domain {
    name: String,
    now: AttachedStorageDomain,
    resource: Resource<AttachedStorageDomain>,
}

impl Domain {
    fn is_master(&self) -> bool {
        self.now.master == Some(true)
    }

    fn deactivate(self) -> Result<()> {
        let maintenance = StorageDomainStatus::Maintenance;
        if self.now.status != Some(maintenance.clone()) {
            self.resource.deactivate()?;
        }
        self.wait_for(&maintenance)
    }

    fn activate(self) -> Result<()> {
        // With its host a domain may come up by itself, and then cannot be activated.
        wait_for_engine(
            format!("storage domain {} to become active", self.name),
            limits::MAINTENANCE,
            || {
                match self.resource.get()?.status {
                    Some(StorageDomainStatus::Active) => Ok(Probe::Done(())),
                    Some(
                        status @ (StorageDomainStatus::Maintenance | StorageDomainStatus::Inactive),
                    ) => {
                        let said = match self.resource.activate() {
                            Ok(()) => String::new(),
                            // No host manages the storage yet, or it has begun by itself.
                            Err(error @ ApiError::Fault { .. }) => format!("; {error}"),
                            Err(error) => return Err(error.into()),
                        };
                        Ok(Probe::NotYet(format!("it is {status}{said}")))
                    }
                    status => Ok(Probe::NotYet(format!("it is {}", shown(status.as_ref())))),
                }
            },
        )
    }

    fn wait_for(&self, wanted: &StorageDomainStatus) -> Result<()> {
        let what = format!("storage domain {} to be in {wanted}", self.name);
        wait_for_engine(what, limits::MAINTENANCE, || {
            let status = self.resource.get()?.status;
            if status.as_ref() == Some(wanted) {
                return Ok(Probe::Done(()));
            }
            Ok(Probe::NotYet(format!("it is {}", shown(status.as_ref()))))
        })
    }
}

/// The storage domains of each data center that hosts have to bring up and down: not an image repository outside.
fn storage_domains(engine: &Connection) -> Result<Vec<Vec<Domain>>> {
    let mut all = Vec::new();
    for data_center in engine.data_centers().all()? {
        let attached = engine.data_centers().of(&data_center)?.storage_domains();
        let domains = attached.all()?.into_iter().filter(is_on_hosts);
        let domains = domains.map(|now| {
            let resource = attached.of(&now)?;
            Ok(Domain { name: now.name.clone().unwrap_or_default(), now, resource })
        });
        all.push(domains.collect::<Result<_, ApiError>>()?);
    }
    Ok(all)
}

fn is_on_hosts(domain: &AttachedStorageDomain) -> bool {
    !matches!(domain.r#type, Some(StorageDomainType::Image | StorageDomainType::Volume))
}

fn deactivate_host(engine: &Connection, host: &Host) -> Result<()> {
    let resource = engine.hosts().of(host)?;
    let what = format!("host {} to be in maintenance", host.name.as_deref().unwrap_or_default());
    wait_for_engine(what, limits::MAINTENANCE, || match resource.get()?.status {
        Some(HostStatus::Maintenance) => Ok(Probe::Done(())),
        Some(status @ HostStatus::PreparingForMaintenance) => {
            Ok(Probe::NotYet(format!("it is {status}")))
        }
        status => {
            let said = match resource.deactivate() {
                Ok(()) => String::new(),
                // It still manages the storage, which another task of the engine's ends.
                Err(error @ ApiError::Fault { .. }) => format!("; {error}"),
                Err(error) => return Err(error.into()),
            };
            Ok(Probe::NotYet(format!("it is {}{said}", shown(status.as_ref()))))
        }
    })
}

fn activate_host(engine: &Connection, host: &Host) -> Result<()> {
    let resource = engine.hosts().of(host)?;
    let name = host.name.clone().unwrap_or_default();
    wait_for_engine(format!("host {name} to be up"), limits::MAINTENANCE, || {
        match resource.get()?.status {
            Some(HostStatus::Up) => Ok(Probe::Done(())),
            Some(status @ HostStatus::InstallFailed) => Err(Error::DeadEnd {
                what: format!("host {name}"),
                state: status.to_string(),
                wanted: "up",
            }),
            Some(status @ (HostStatus::Maintenance | HostStatus::NonOperational)) => {
                let said = match resource.activate() {
                    Ok(()) => String::new(),
                    Err(error @ ApiError::Fault { .. }) => format!("; {error}"),
                    Err(error) => return Err(error.into()),
                };
                Ok(Probe::NotYet(format!("it is {status}{said}")))
            }
            status => Ok(Probe::NotYet(format!("it is {}", shown(status.as_ref())))),
        }
    })
}

fn shown(status: Option<&(impl std::fmt::Display + ?Sized)>) -> String {
    status.map_or_else(|| "in no state that the engine tells".to_owned(), ToString::to_string)
}
