//! The storage domains.

use lago_test::limits::LONG;
use lago_test::{Failure, TestResult, assert_equals_within, ensure};
use ovirt_suite::api::types::{
    AttachedStorageDomain, DataCenter, DataCenterStatus, Host, HostStatus, HostStorage,
    IscsiDetails, List, LogicalUnit, Model as _, NfsVersion, StorageDomain, StorageDomainStatus,
    StorageDomainType, StorageFormat, StorageType,
};
use ovirt_suite::api::{Connection, Resource};
use ovirt_suite::testlib::{OvirtApi, in_parallel};

use crate::names::{DATA_CENTER, EXPORT, ISCSI, ISO, NFS};
use crate::site::{EXPORT_PATH, ISCSI_PORT, ISCSI_TARGET, ISO_PATH, NFS_PATH, Site};

/// How many LUNs the iSCSI domain is made of.
const LUNS: usize = 2;

/// The format of data domains in a data center of version 4.3 and later.
const DATA_FORMAT: StorageFormat = StorageFormat::V5;

pub(crate) fn add_master_storage_domain(engine: OvirtApi, site: Site) -> TestResult {
    let domain = nfs_domain(&engine, &site, NFS, NFS_PATH, StorageDomainType::Data)?;
    let attached = add_storage_domain(&engine, &domain)?.get()?;
    ensure!(attached.master == Some(true), "the first domain is not the master");
    let data_center = engine.data_centers().named(DATA_CENTER)?;
    let data_center = engine.data_centers().of(&data_center)?;
    assert_equals_within(LONG, Some(DataCenterStatus::Up), || Ok(data_center.get()?.status))
}

/// All at the same time.
pub(crate) fn add_secondary_storage_domains(engine: OvirtApi, site: Site) -> TestResult {
    let domain = |make: &dyn Fn() -> Result<StorageDomain, Failure>| {
        let attached = add_storage_domain(&engine, &make()?)?.get()?;
        ensure!(attached.master != Some(true), "there are two masters");
        Ok(())
    };
    let nfs = |name, path, kind| nfs_domain(&engine, &site, name, path, kind);
    let iscsi = || domain(&|| iscsi_domain(&engine, &site));
    let iso = || domain(&|| nfs(ISO, ISO_PATH, StorageDomainType::Iso));
    let export = || domain(&|| nfs(EXPORT, EXPORT_PATH, StorageDomainType::Export));
    let steps: [(&str, &(dyn Fn() -> TestResult + Sync)); 3] =
        [(ISCSI, &iscsi), (ISO, &iso), (EXPORT, &export)];
    in_parallel(steps)
}

/// A host of the data center that is up; every one can do it.
fn host(engine: &Connection) -> Result<Host, Failure> {
    let up = engine.hosts().all()?.into_iter().find(|host| host.status == Some(HostStatus::Up));
    up.ok_or_else(|| Failure::new("no host is up, so nobody can make a storage domain"))
}

fn nfs_domain(
    engine: &Connection,
    site: &Site,
    name: &str,
    path: &str,
    kind: StorageDomainType,
) -> Result<StorageDomain, Failure> {
    let format = if kind == StorageDomainType::Data { DATA_FORMAT } else { StorageFormat::V1 };
    let storage = HostStorage {
        r#type: Some(StorageType::Nfs),
        address: Some(site.nfs.clone()),
        path: Some(path.to_owned()),
        nfs_version: Some(NfsVersion::Auto),
        ..HostStorage::default()
    };
    Ok(StorageDomain {
        r#type: Some(kind),
        storage_format: Some(format),
        storage: Some(storage),
        host: Some(Box::new(Host::with_id(host(engine)?.id()?))),
        ..StorageDomain::named(name)
    })
}

/// A domain on two LUNs, which a host finds, logs in to and sees.
fn iscsi_domain(engine: &Connection, site: &Site) -> Result<StorageDomain, Failure> {
    let host = host(engine)?;
    let on_host = engine.hosts().of(&host)?;
    let portal = IscsiDetails {
        address: Some(site.iscsi.clone()),
        port: Some(ISCSI_PORT),
        ..IscsiDetails::default()
    };
    let targets = on_host.discover_iscsi(&portal)?;
    let names: Vec<_> = targets.iter().filter_map(|target| target.target.as_deref()).collect();
    ensure!(
        names.contains(&ISCSI_TARGET),
        "the portal has the targets {names:?}, not {ISCSI_TARGET}"
    );
    on_host.iscsi_login(&IscsiDetails { target: Some(ISCSI_TARGET.to_owned()), ..portal })?;
    let units = free_luns(&on_host)?;
    ensure!(units.len() >= LUNS, "the target has {} free LUNs instead of {LUNS}", units.len());
    let units = units.into_iter().take(LUNS).map(|unit| LogicalUnit {
        id: unit.id,
        address: Some(site.iscsi.clone()),
        port: Some(ISCSI_PORT),
        target: Some(ISCSI_TARGET.to_owned()),
        ..LogicalUnit::default()
    });
    let storage = HostStorage {
        r#type: Some(StorageType::Iscsi),
        logical_units: Some(List::from(units.collect::<Vec<_>>())),
        ..HostStorage::default()
    };
    Ok(StorageDomain {
        r#type: Some(StorageDomainType::Data),
        storage_format: Some(DATA_FORMAT),
        storage: Some(storage),
        host: Some(Box::new(Host::with_id(host.id()?))),
        ..StorageDomain::named(ISCSI)
    })
}

/// The LUNs of the target that nobody uses, in the order of their numbers.
fn free_luns(host: &Resource<Host>) -> Result<Vec<LogicalUnit>, Failure> {
    let storages = host.storage(true)?;
    let units =
        storages.into_iter().flat_map(|storage| storage.logical_units.unwrap_or_default().items);
    let mut units: Vec<LogicalUnit> = units
        .filter(|unit| unit.target.as_deref() == Some(ISCSI_TARGET))
        .filter(|unit| unit.status.as_deref() != Some("used"))
        .collect();
    units.sort_by_key(|unit| unit.lun_mapping);
    Ok(units)
}

/// Adds a domain, attaches it to the data center and waits until it is used there.
fn add_storage_domain(
    engine: &Connection,
    domain: &StorageDomain,
) -> Result<Resource<AttachedStorageDomain>, Failure> {
    let added = engine.storage_domains().add(domain)?;
    let id = added.id()?;
    let unattached = engine.storage_domains().id(id);
    assert_equals_within(LONG, Some(StorageDomainStatus::Unattached), || {
        Ok(unattached.get()?.status)
    })?;
    let data_center: DataCenter = engine.data_centers().named(DATA_CENTER)?;
    let attached = engine.data_centers().of(&data_center)?.storage_domains();
    attached.add(&AttachedStorageDomain::with_id(id))?;
    let attached = attached.id(id);
    assert_equals_within(LONG, Some(StorageDomainStatus::Active), || Ok(attached.get()?.status))?;
    let now = attached.get()?;
    ensure!(now.name() == domain.name(), "the domain is called {:?}", now.name());
    ensure!(now.r#type == domain.r#type, "the domain is one for {:?}", now.r#type);
    Ok(attached)
}
