//! Both ways to keep the state of an oVirt environment, and what each takes.

use std::time::Instant;

use lago_test::{TestResult, ensure};
use ovirt_suite::OvirtPrefix;
use ovirt_suite::api::types::{HostStatus, StorageDomainStatus};

use crate::names::DATA_CENTER;

/// With the memory of all VMs: nothing has to come to rest.
pub(crate) fn snapshot_with_memory(prefix: OvirtPrefix) -> TestResult {
    let began = Instant::now();
    prefix.snapshot("with-memory")?;
    println!("taken with memory after {:.1?}", began.elapsed());
    let began = Instant::now();
    prefix.revert("with-memory")?;
    prefix.virt_env().engine_vm()?.forget_api();
    everything_is_up(&prefix)?;
    println!("back with memory, and all is up, after {:.1?}", began.elapsed());
    prefix.delete_snapshot("with-memory")?;
    Ok(())
}

/// The disks alone: storage, hosts and engine come to rest first, and are brought up after.
pub(crate) fn snapshot_at_rest(prefix: OvirtPrefix) -> TestResult {
    let began = Instant::now();
    prefix.create_snapshots("at-rest", true)?;
    everything_is_up(&prefix)?;
    println!("taken at rest, and all is up again, after {:.1?}", began.elapsed());
    let began = Instant::now();
    prefix.revert_snapshots("at-rest")?;
    everything_is_up(&prefix)?;
    println!("back from disks, and all is up, after {:.1?}", began.elapsed());
    prefix.delete_snapshot("at-rest")?;
    Ok(())
}

fn everything_is_up(prefix: &OvirtPrefix) -> TestResult {
    let engine = prefix.virt_env().engine_vm()?.get_api()?;
    for host in engine.hosts().all()? {
        ensure!(host.status == Some(HostStatus::Up), "host {:?} is {:?}", host.name, host.status);
    }
    let data_center = engine.data_centers().named(DATA_CENTER)?;
    let domains = engine.data_centers().of(&data_center)?.storage_domains().all()?;
    ensure!(!domains.is_empty(), "there is no storage");
    for domain in domains {
        let active = domain.status == Some(StorageDomainStatus::Active);
        ensure!(active, "storage domain {:?} is {:?}", domain.name, domain.status);
    }
    Ok(())
}
