//! Storage whose cable is pulled.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;

use lago_test::limits::LONG;
use lago_test::{Failure, TestResult, assert_equals_within, fail};
use ovirt_suite::OvirtPrefix;
use ovirt_suite::api::types::{
    AttachedStorageDomain, Disk, DiskFormat, HostStatus, StorageDomain, StorageDomainStatus,
};
use ovirt_suite::api::{Collection, Connection};
use ovirt_suite::testlib::{OvirtApi, WhichEngine};

use super::assert_refused;
use super::evidence::assert_engine_says;
use crate::initialize::ANSWERS;
use crate::names::{DATA_CENTER, EXPORT, ISCSI, ISO, NFS};
use crate::site::{ISCSI_SERVER, NFS_SERVER};

/// How long the simulator waits then, in milliseconds.
const GRACE: &str = "SIMULATOR/graceMs=int:5000";

/// A host that alone does not reach the storage is out of operation, and the storage stays in use. When no host reaches it the
/// storage is inactive, and nothing can be done with it. All of it recovers by itself once the cables are plugged in.
pub(crate) fn storage_unplugged(prefix: OvirtPrefix, api: OvirtApi) -> TestResult {
    be_impatient(&prefix)?;
    let servers = [prefix.vm(NFS_SERVER)?, prefix.vm(ISCSI_SERVER)?];
    let Some(machine) = prefix.virt_env().host_vms().last() else { fail!("there is no host") };
    let known = api.hosts().named(machine.name())?;
    let host = api.hosts().of(&known)?;
    let domains = attached(&api)?;

    let parted = prefix.partition(&[machine], &servers)?;
    assert_equals_within(LONG, Some(HostStatus::NonOperational), || Ok(host.get()?.status))?;
    assert_equals_within(LONG, all(&StorageDomainStatus::Active), || statuses(&domains))?;

    for server in servers {
        server.nic(0)?.set_link(false)?;
    }
    let inactive = all(&StorageDomainStatus::Inactive);
    assert_equals_within(LONG, inactive, || statuses(&domains))?;
    for domain in [NFS, ISCSI] {
        let words = "Cannot add Virtual Disk. The relevant Storage Domain's status is inactive.";
        assert_refused(api.disks().add(&disk_on(domain)), 409, words)?;
    }
    for domain in [NFS, ISCSI] {
        let words = [format!("Storage Domain {domain} "), "not visible by any of the hosts".into()];
        assert_engine_says(&prefix, &words.each_ref().map(String::as_str))?;
    }
    assert_engine_says(&prefix, &[machine.name(), "Setting Host state to Non-Operational"])?;

    for server in servers {
        server.nic(0)?.set_link(true)?;
    }
    parted.heal()?;
    let active = all(&StorageDomainStatus::Active);
    assert_equals_within(LONG, active, || statuses(&domains))?;
    // The other one may have gone out of operation as well, by itself.
    for known in api.hosts().all()? {
        let host = api.hosts().of(&known)?;
        assert_equals_within(LONG, Some(HostStatus::Up), || Ok(host.get()?.status))?;
    }
    Ok(())
}

/// Sets the simulator up once more, so that it waits less until something that is gone has consequences.
fn be_impatient(prefix: &OvirtPrefix) -> TestResult {
    if !WhichEngine::from_env()?.is_simulated() {
        return Ok(());
    }
    let mut answers = tempfile::NamedTempFile::new()?;
    answers.write_all(&fs::read(ANSWERS)?)?;
    writeln!(answers, "{GRACE}")?;
    Ok(prefix.virt_env().engine_vm()?.engine_setup(Some(answers.path()))?)
}

/// The storage domains of the data center.
fn attached(api: &Connection) -> Result<Collection<AttachedStorageDomain>, Failure> {
    let data_center = api.data_centers().named(DATA_CENTER)?;
    Ok(api.data_centers().of(&data_center)?.storage_domains())
}

fn statuses(domains: &Collection<AttachedStorageDomain>) -> Result<Statuses, Failure> {
    let all = domains.all()?.into_iter();
    Ok(all.map(|domain| (domain.name.unwrap_or_default(), domain.status)).collect())
}

/// The storage domains by their names.
type Statuses = BTreeMap<String, Option<StorageDomainStatus>>;

/// All of them in the same state.
fn all(status: &StorageDomainStatus) -> Statuses {
    let names = [NFS, ISCSI, ISO, EXPORT].into_iter();
    names.map(|name| (name.to_owned(), Some(status.clone()))).collect()
}

fn disk_on(domain: &str) -> Disk {
    Disk {
        format: Some(DiskFormat::Cow),
        sparse: Some(true),
        provisioned_size: Some(1 << 20),
        storage_domains: Some(vec![StorageDomain::named(domain)].into()),
        ..Disk::named("unwritten")
    }
}
