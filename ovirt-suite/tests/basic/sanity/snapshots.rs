//! Snapshots of VMs that are taken and merged, while a VM is down and while it runs.

use lago_test::limits::LONG;
use lago_test::{Failure, TestResult, assert_equals_within, ensure};
use ovirt_suite::api::types::{DiskAttachment, Id, Snapshot, Vm, VmStatus};
use ovirt_suite::api::{Connection, Query, Resource};
use ovirt_suite::testlib::OvirtApi;

use super::vm;
use crate::machines::Machines;
use crate::names::VM0;
use crate::wait;

pub(crate) fn snapshot_merge(engine: OvirtApi, machines: Machines) -> TestResult {
    let vm = vm(&engine, VM0)?;
    ensure!(vm.get()?.status == Some(VmStatus::Down), "the VM is not down");
    merge_the_first_of_two(&engine, &machines, &vm, "dead")
}

pub(crate) fn snapshot_live_merge(engine: OvirtApi, machines: Machines) -> TestResult {
    let vm = vm(&engine, VM0)?;
    ensure!(vm.get()?.status == Some(VmStatus::Up), "the VM does not run");
    merge_the_first_of_two(&engine, &machines, &vm, "live")?;
    ensure!(vm.get()?.status == Some(VmStatus::Up), "the VM has gone down meanwhile");
    Ok(())
}

/// Takes two snapshots, removes the first one and then the second: what they had goes into the disks. Each snapshot is a
/// volume more of each disk, until it is removed.
fn merge_the_first_of_two(
    engine: &Connection,
    machines: &Machines,
    vm: &Resource<Vm>,
    kind: &str,
) -> TestResult {
    let snapshots = vm.snapshots();
    let before = descriptions(wait::taken(&snapshots)?);
    let chains = Chains::of(machines, vm)?;
    let (first, second) = (format!("{kind}_snap1"), format!("{kind}_snap2"));
    let first_id = take(engine, vm, &first)?;
    chains.assert_longer_by(1)?;
    let second_id = take(engine, vm, &second)?;
    chains.assert_longer_by(2)?;
    for (id, left) in [(first_id, vec![second]), (second_id, Vec::new())] {
        snapshots.id(&id).remove()?;
        let volumes = left.len();
        let mut expected = before.clone();
        expected.extend(left);
        assert_equals_within(LONG, expected, || Ok(descriptions(wait::taken(&snapshots)?)))?;
        wait::for_snapshots(&snapshots)?;
        chains.assert_longer_by(volumes)?;
    }
    for attachment in vm.disk_attachments().all()? {
        wait::for_disk(&engine.disks().id(attachment.id()?))?;
    }
    Ok(())
}

/// The disks of a VM on the NFS server, and how many volumes each had at first.
struct Chains<'a> {
    machines: &'a Machines,
    disks: Vec<(Id, Option<usize>)>,
}

impl<'a> Chains<'a> {
    fn of(machines: &'a Machines, vm: &Resource<Vm>) -> Result<Self, Failure> {
        let attachments = vm.disk_attachments().all()?;
        ensure!(!attachments.is_empty(), "the VM has no disk of which there could be a snapshot");
        let count = |disk: &DiskAttachment| -> Result<_, Failure> {
            let id = disk.id()?.clone();
            let volumes = machines.volumes(&id)?;
            ensure!(volumes != Some(0), "disk {id} is not on the server");
            Ok((id, volumes))
        };
        Ok(Self { machines, disks: attachments.iter().map(count).collect::<Result<_, _>>()? })
    }

    fn assert_longer_by(&self, snapshots: usize) -> TestResult {
        for (disk, before) in &self.disks {
            let expected = before.map(|volumes| volumes + snapshots);
            let volumes = self.machines.volumes(disk)?;
            ensure!(
                volumes == expected,
                "with {snapshots} snapshots disk {disk} has {volumes:?} volumes, not {expected:?}"
            );
        }
        Ok(())
    }
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
