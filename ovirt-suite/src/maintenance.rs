//! Bringing an oVirt environment to rest, and back: storage and hosts in the order that the engine demands.

mod at_rest;

use std::collections::BTreeSet;
use std::time::Duration;

use lago::utils::{Probe, parallel};

pub use at_rest::AtRest;

use crate::api::types::{
    AttachedStorageDomain, Host, HostStatus, Model, StorageDomainStatus, StorageDomainType,
};
use crate::api::{ApiError, Connection, Resource};
use crate::error::{Error, Result};
use crate::limits;
use crate::utils::{Interrupt, wait_for_engine};

/// Puts all storage domains into maintenance, a data center's master last, and then all hosts. What was up before is known to
/// [`AtRest::what_is_up`] alone, and [`activate`] wants to be told.
///
/// # Errors
/// When the engine refuses, something is not in maintenance within [`limits::MAINTENANCE`], a host could not be installed and
/// so cannot be put into maintenance, or somebody has interrupted it.
pub fn deactivate(engine: &Connection, interrupt: &Interrupt) -> Result<()> {
    let _span = tracing::info_span!("deactivate storage and hosts").entered();
    for domains in storage_domains(engine)? {
        let (masters, others): (Vec<_>, Vec<_>) = domains.into_iter().partition(Domain::is_master);
        parallel(others, |domain| domain.deactivate(interrupt))?;
        parallel(masters, |domain| domain.deactivate(interrupt))?;
    }
    parallel(engine.hosts().all()?, |host| deactivate_host(engine, &host, interrupt))?;
    Ok(())
}

/// Lets those hosts run VMs again that did before, and then brings up the storage that was used, a data center's master first.
/// Where nobody knows what was up before, that is all that is not in maintenance now.
///
/// # Errors
/// When the engine refuses, something is not up within [`limits::MAINTENANCE`], or somebody has interrupted it.
pub fn activate(
    engine: &Connection,
    at_rest: Option<&AtRest>,
    interrupt: &Interrupt,
) -> Result<()> {
    let _span = tracing::info_span!("activate hosts and storage").entered();
    let mut hosts = engine.hosts().all()?;
    hosts.retain(|host| comes_up("host", host, at_rest.map(AtRest::hosts), host_rests(host)));
    parallel(hosts, |host| activate_host(engine, &host, interrupt))?;
    for mut domains in storage_domains(engine)? {
        let known = at_rest.map(AtRest::storage_domains);
        domains.retain(|domain| comes_up("storage domain", &domain.now, known, domain.rests()));
        let (masters, others): (Vec<_>, Vec<_>) = domains.into_iter().partition(Domain::is_master);
        parallel(masters, |domain| domain.activate(interrupt))?;
        parallel(others, |domain| domain.activate(interrupt))?;
    }
    Ok(())
}

/// Whether something is brought up: if it was up before, or else if it does not rest now.
fn comes_up<T: Model>(
    what: &str,
    object: &T,
    known: Option<&BTreeSet<String>>,
    rests: bool,
) -> bool {
    let was_up = match (known, object.id()) {
        (Some(known), Ok(id)) => known.contains(id.as_str()),
        _ => !rests,
    };
    if !was_up {
        tracing::info!("{what} {} stays as it was before", object.name().unwrap_or_default());
    }
    was_up
}

/// Whether a host is as it is because somebody wanted that, or because it never was one.
fn host_rests(host: &Host) -> bool {
    use HostStatus::{InstallFailed, Maintenance, PreparingForMaintenance};
    matches!(host.status, Some(Maintenance | PreparingForMaintenance | InstallFailed))
}

/// Waits until a host is up, at most as long as `limit`. Nothing is asked of it.
///
/// # Errors
/// [`Error::TimedOut`] with the host's name and its last status; [`Error::DeadEnd`] at once when it could not be installed, or
/// does not fit its cluster or storage, as no wait mends that.
pub fn wait_until_up(engine: &Connection, host: &Host, limit: Duration) -> Result<()> {
    let resource = engine.hosts().of(host)?;
    let name = host.name.as_deref().unwrap_or_default();
    wait_for_engine(format!("host {name} to be up"), limit, || match resource.get()?.status {
        Some(HostStatus::Up) => Ok(Probe::Done(())),
        Some(status @ (HostStatus::InstallFailed | HostStatus::NonOperational)) => {
            let (what, state) = (format!("host {name}"), status.to_string());
            Err(Error::DeadEnd { what, state, wanted: "up" })
        }
        status => Ok(Probe::NotYet(format!("it is {}", shown(status.as_ref())))),
    })
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

    fn rests(&self) -> bool {
        use StorageDomainStatus::{Maintenance, PreparingForMaintenance};
        matches!(self.now.status, Some(Maintenance | PreparingForMaintenance))
    }

    fn deactivate(self, interrupt: &Interrupt) -> Result<()> {
        interrupt.check()?;
        let maintenance = StorageDomainStatus::Maintenance;
        // It may be on its way already, since an earlier call was killed.
        if !self.rests() {
            self.resource.deactivate()?;
        }
        self.wait_for(&maintenance, interrupt)
    }

    fn activate(self, interrupt: &Interrupt) -> Result<()> {
        // With its host a domain may come up by itself, and then cannot be activated.
        wait_for_engine(
            format!("storage domain {} to become active", self.name),
            limits::MAINTENANCE,
            || {
                interrupt.check()?;
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

    fn wait_for(&self, wanted: &StorageDomainStatus, interrupt: &Interrupt) -> Result<()> {
        let what = format!("storage domain {} to be in {wanted}", self.name);
        wait_for_engine(what, limits::MAINTENANCE, || {
            interrupt.check()?;
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

fn deactivate_host(engine: &Connection, host: &Host, interrupt: &Interrupt) -> Result<()> {
    let resource = engine.hosts().of(host)?;
    let name = host.name.clone().unwrap_or_default();
    wait_for_engine(format!("host {name} to be in maintenance"), limits::MAINTENANCE, || {
        interrupt.check()?;
        match resource.get()?.status {
            Some(HostStatus::Maintenance) => Ok(Probe::Done(())),
            Some(status @ HostStatus::PreparingForMaintenance) => {
                Ok(Probe::NotYet(format!("it is {status}")))
            }
            status => match resource.deactivate() {
                Ok(()) => Ok(Probe::NotYet(format!("it is {}", shown(status.as_ref())))),
                // It is no host yet, and does not become one by itself.
                Err(error @ ApiError::Fault { .. })
                    if status == Some(HostStatus::InstallFailed) =>
                {
                    Err(Error::DeadEnd {
                        what: format!("host {name}"),
                        state: format!("{} ({error})", HostStatus::InstallFailed),
                        wanted: "in maintenance",
                    })
                }
                // It still manages the storage, which another task of the engine's ends.
                Err(error @ ApiError::Fault { .. }) => {
                    Ok(Probe::NotYet(format!("it is {}; {error}", shown(status.as_ref()))))
                }
                Err(error) => Err(error.into()),
            },
        }
    })
}

fn activate_host(engine: &Connection, host: &Host, interrupt: &Interrupt) -> Result<()> {
    let resource = engine.hosts().of(host)?;
    let name = host.name.clone().unwrap_or_default();
    wait_for_engine(format!("host {name} to be up"), limits::MAINTENANCE, || {
        interrupt.check()?;
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
