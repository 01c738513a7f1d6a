//! Snapshots of VMs that are taken and merged, while a VM is down and while it runs.

use lago_test::limits::LONG;
use lago_test::{Failure, TestResult, assert_equals_within, ensure};
use ovirt_suite::api::types::{Id, Snapshot, Vm, VmStatus};
use ovirt_suite::api::{Connection, Query, Resource};
use ovirt_suite::testlib::OvirtApi;

use super::vm;
use crate::names::VM0;
use crate::wait;

pub(crate) fn snapshot_merge(engine: OvirtApi) -> TestResult {
    let vm = vm(&engine, VM0)?;
    ensure!(vm.get()?.status == Some(VmStatus::Down), "the VM is not down");
    merge_the_first_of_two(&engine, &vm, "dead")
}

pub(crate) fn snapshot_live_merge(engine: OvirtApi) -> TestResult {
    let vm = vm(&engine, VM0)?;
    ensure!(vm.get()?.status == Some(VmStatus::Up), "the VM does not run");
    merge_the_first_of_two(&engine, &vm, "live")?;
    ensure!(vm.get()?.status == Some(VmStatus::Up), "the VM has gone down meanwhile");
    Ok(())
}

/// Takes two snapshots, removes the first one and then the second: what they had goes into the disks.
fn merge_the_first_of_two(engine: &Connection, vm: &Resource<Vm>, kind: &str) -> TestResult {
    let snapshots = vm.snapshots();
    let before = descriptions(wait::taken(&snapshots)?);
    let (first, second) = (format!("{kind}_snap1"), format!("{kind}_snap2"));
    let first_id = take(engine, vm, &first)?;
    let second_id = take(engine, vm, &second)?;
    for (id, left) in [(first_id, vec![second]), (second_id, Vec::new())] {
        snapshots.id(&id).remove()?;
        let mut expected = before.clone();
        expected.extend(left);
        assert_equals_within(LONG, expected, || Ok(descriptions(wait::taken(&snapshots)?)))?;
        wait::for_snapshots(&snapshots)?;
    }
    for attachment in vm.disk_attachments().all()? {
        wait::for_disk(&engine.disks().id(attachment.id()?))?;
    }
    Ok(())
}

/// Takes a snapshot of the disks and waits until it can be used.
fn take(engine: &Connection, vm: &Resource<Vm>, description: &str) -> Result<Id, Failure> {
    let snapshot = Snapshot {
        description: Some(description.to_owned()),
        persist_memorystate: Some(false),
        ..Snapshot::default()
    };
    let query = Query::new().correlation_id(description);
    let taken = vm.snapshots().add_with(&snapshot, &query)?;
    wait::for_jobs(engine, description)?;
    wait::for_snapshots(&vm.snapshots())?;
    let now = vm.snapshots().id(taken.id()?).get()?;
    ensure!(now.description.as_deref() == Some(description), "another snapshot was taken: {now:?}");
    Ok(taken.id()?.clone())
}

fn descriptions(snapshots: Vec<Snapshot>) -> Vec<String> {
    let mut all: Vec<String> =
        snapshots.into_iter().map(|snapshot| snapshot.description.unwrap_or_default()).collect();
    all.sort();
    all
}
