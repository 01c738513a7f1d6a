//! A snapshot at rest whose process does not come to its end. Each scenario leaves the environment as it found it.

use std::process::{Child, Command, Stdio};

use lago_test::limits::LONG;
use lago_test::{Failure, TestResult, assert_equals_within, assert_true_within, ensure, fail};
use ovirt_suite::OvirtPrefix;
use ovirt_suite::api::types::{DataCenter, Host, HostStatus, StorageDomainStatus};
use ovirt_suite::api::{Connection, Resource};
use ovirt_suite::testlib::OvirtApi;
use rustix::process::{Pid, Signal, kill_process};

use crate::names::DATA_CENTER;

/// How a program ends that Ctrl-C has interrupted.
const INTERRUPTED: i32 = 130;

/// Ended however the scenario ends.
struct Snapshot(Child);

impl Drop for Snapshot {
    fn drop(&mut self) {
        // One that has ended already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `start` brings up what was up, and leaves in maintenance what somebody has put there.
pub(crate) fn snapshot_is_killed(prefix: OvirtPrefix, api: OvirtApi) -> TestResult {
    let resting = put_a_host_to_rest(&prefix, &api)?;
    let mut snapshot = begin(&prefix, &api)?;
    snapshot.0.kill()?;
    snapshot.0.wait()?;
    ensure!(prefix.ovirt_paths().at_rest().exists(), "nobody knows what was up before");
    prefix.start()?;
    all_is_as_before(&prefix, &api, &resting)?;
    bring_up(&resting)
}

/// What was up before is up when the process has ended.
pub(crate) fn snapshot_is_interrupted(prefix: OvirtPrefix, api: OvirtApi) -> TestResult {
    let resting = put_a_host_to_rest(&prefix, &api)?;
    let mut snapshot = begin(&prefix, &api)?;
    kill_process(Pid::from_child(&snapshot.0), Signal::INT)?;
    let status = snapshot.0.wait()?;
    ensure!(status.code() == Some(INTERRUPTED), "it ended with {status}");
    ensure!(prefix.snapshots()?.iter().all(|known| known.name != NAME), "there is a snapshot");
    all_is_as_before(&prefix, &api, &resting)?;
    bring_up(&resting)
}

/// What the snapshot is called that there never is.
const NAME: &str = "interrupted";

/// Begins a snapshot, and returns when the first storage has come to rest.
fn begin(prefix: &OvirtPrefix, api: &Connection) -> Result<Snapshot, Failure> {
    let child = Command::new(env!("CARGO_BIN_EXE_lago-ovirt"))
        .arg("--prefix-path")
        .arg(prefix.paths().prefix())
        .args(["snapshot", NAME])
        .stdin(Stdio::null())
        .spawn()?;
    let snapshot = Snapshot(child);
    assert_true_within(LONG, || {
        Ok(storage(api)?.contains(&Some(StorageDomainStatus::Maintenance)))
    })?;
    Ok(snapshot)
}

fn storage(api: &Connection) -> Result<Vec<Option<StorageDomainStatus>>, Failure> {
    let data_center: DataCenter = api.data_centers().named(DATA_CENTER)?;
    let domains = api.data_centers().of(&data_center)?.storage_domains().all()?;
    Ok(domains.into_iter().map(|domain| domain.status).collect())
}

/// A host that is in maintenance because somebody wants it so.
fn put_a_host_to_rest(prefix: &OvirtPrefix, api: &Connection) -> Result<Resource<Host>, Failure> {
    let Some(machine) = prefix.virt_env().host_vms().last() else { fail!("there is no host") };
    let host = api.hosts().of(&api.hosts().named(machine.name())?)?;
    host.deactivate()?;
    assert_equals_within(LONG, Some(HostStatus::Maintenance), || Ok(host.get()?.status))?;
    Ok(host)
}

fn bring_up(host: &Resource<Host>) -> TestResult {
    host.activate()?;
    assert_equals_within(LONG, Some(HostStatus::Up), || Ok(host.get()?.status))
}

fn all_is_as_before(
    prefix: &OvirtPrefix,
    api: &Connection,
    resting: &Resource<Host>,
) -> TestResult {
    let resting = resting.get()?;
    ensure!(resting.status == Some(HostStatus::Maintenance), "{:?} was brought up", resting.name);
    for host in api.hosts().all()?.into_iter().filter(|host| host.id != resting.id) {
        ensure!(host.status == Some(HostStatus::Up), "{:?} is {:?}", host.name, host.status);
    }
    let storage = storage(api)?;
    let active = storage.iter().all(|status| *status == Some(StorageDomainStatus::Active));
    ensure!(active && !storage.is_empty(), "the storage is {storage:?}");
    ensure!(!prefix.ovirt_paths().at_rest().exists(), "it is still said to be at rest");
    Ok(())
}
