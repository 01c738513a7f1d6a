//! The data center, the cluster, the hosts.

use lago_test::{Failure, TestResult, ensure, minutes};
use ovirt_suite::api::Connection;
use ovirt_suite::api::types::{Cluster, Cpu, DataCenter, DataCenterStatus, Host, Ssh, Version};
use ovirt_suite::maintenance::wait_until_up;
use ovirt_suite::testlib::{OvirtApi, in_parallel};

use crate::names::{CLUSTER, COMPATIBILITY, CPU_FAMILY, DATA_CENTER, MANAGEMENT_NETWORK};
use crate::site::{HostMachine, Site};
use crate::wait::last_events;

fn compatibility() -> Version {
    Version::compatibility(COMPATIBILITY.0, COMPATIBILITY.1)
}

pub(crate) fn add_dc(engine: OvirtApi) -> TestResult {
    let data_center = DataCenter {
        local: Some(false),
        version: Some(compatibility()),
        ..DataCenter::named(DATA_CENTER)
    };
    let added = engine.data_centers().add(&data_center)?;
    let now = engine.data_centers().of(&added)?.get()?;
    ensure!(now.name.as_deref() == Some(DATA_CENTER), "another one was added: {now:?}");
    ensure!(now.local == Some(false), "its storage is local");
    ensure!(now.status == Some(DataCenterStatus::Uninitialized), "it is {:?}", now.status);
    // The management network comes with it.
    engine.data_centers().of(&added)?.networks().named(MANAGEMENT_NETWORK)?;
    Ok(())
}

pub(crate) fn add_cluster(engine: OvirtApi) -> TestResult {
    let data_center = engine.data_centers().named(DATA_CENTER)?;
    let cpu = Cpu {
        architecture: Some("x86_64".to_owned()),
        r#type: Some(CPU_FAMILY.to_owned()),
        ..Cpu::default()
    };
    let cluster = Cluster {
        cpu: Some(cpu),
        data_center: Some(Box::new(DataCenter::with_id(data_center.id()?))),
        version: Some(compatibility()),
        ..Cluster::named(CLUSTER)
    };
    let added = engine.clusters().add(&cluster)?;
    let now = engine.clusters().of(&added)?.get()?;
    let of = now.data_center.as_deref().map(DataCenter::id).transpose()?;
    ensure!(of == Some(data_center.id()?), "it is in another data center: {of:?}");
    ensure!(now.cpu.and_then(|cpu| cpu.r#type).as_deref() == Some(CPU_FAMILY), "other processors");
    Ok(())
}

/// All at the same time, and up within fifteen minutes.
pub(crate) fn add_hosts(engine: OvirtApi, site: Site) -> TestResult {
    ensure!(site.hosts.len() >= 2, "VMs cannot move between {} hosts", site.hosts.len());
    in_parallel(site.hosts.iter().map(|machine| (&machine.name, || add_host(&engine, machine))))
}

fn add_host(engine: &Connection, machine: &HostMachine) -> TestResult {
    let host = Host {
        address: Some(machine.address.clone()),
        root_password: Some(machine.root_password.as_str().into()),
        ssh: Some(Ssh { authentication_method: Some("password".to_owned()), ..Ssh::default() }),
        override_iptables: Some(true),
        cluster: Some(Box::new(Cluster::named(CLUSTER))),
        ..Host::named(&machine.name)
    };
    let host = engine.hosts().add(&host)?;
    wait_until_up(engine, &host, minutes(15))
        .map_err(|error| Failure::new(format!("{error}{}", last_events(engine))))
}
