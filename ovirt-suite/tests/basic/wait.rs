//! Waiting for what the engine does.

use std::time::Duration;

use lago_test::limits::{LONG, SHORT};
use lago_test::{Failure, TestResult, assert_equals_within, assert_true_within, ensure};
use ovirt_suite::api::types::{
    Disk, DiskStatus, Job, JobStatus, Snapshot, SnapshotStatus, SnapshotType, Vm, VmStatus,
};
use ovirt_suite::api::{Collection, Connection, Query, Resource};

/// How many events are quoted when something went wrong.
const EVENTS: u32 = 5;

/// Until a VM does this.
pub(crate) fn for_vm(vm: &Resource<Vm>, status: VmStatus, limit: Duration) -> TestResult {
    assert_equals_within(limit, Some(status), || Ok(vm.get()?.status))
}

/// Until a disk can be used.
pub(crate) fn for_disk(disk: &Resource<Disk>) -> TestResult {
    assert_equals_within(LONG, Some(DiskStatus::Ok), || Ok(disk.get()?.status))
}

/// Until all snapshots of a VM can be used.
pub(crate) fn for_snapshots(snapshots: &Collection<Snapshot>) -> TestResult {
    assert_true_within(LONG, || {
        let all = snapshots.all()?;
        Ok(all.iter().all(|snapshot| snapshot.snapshot_status == Some(SnapshotStatus::Ok)))
    })
}

/// The snapshots that somebody took, which are all but the VM as it is now.
pub(crate) fn taken(snapshots: &Collection<Snapshot>) -> Result<Vec<Snapshot>, Failure> {
    let mut all = snapshots.all()?;
    all.retain(|snapshot| snapshot.snapshot_type != Some(SnapshotType::Active));
    Ok(all)
}

/// Until the engine has done all jobs that came of a request with this correlation identifier; there is at least one.
pub(crate) fn for_jobs(engine: &Connection, correlation_id: &str) -> TestResult {
    let query = Query::new().search(format!("correlation_id={correlation_id}"));
    let mut jobs = Vec::new();
    assert_true_within(SHORT, || {
        jobs = engine.jobs().list(&query)?;
        let ended = |job: &Job| job.status.as_ref().is_some_and(JobStatus::has_ended);
        Ok(!jobs.is_empty() && jobs.iter().all(ended))
    })?;
    for Job { description, status, .. } in jobs {
        let events = || last_events(engine);
        let (what, how) = (description.unwrap_or_default(), status);
        ensure!(how == Some(JobStatus::Finished), "the job {what:?} is {how:?}{}", events());
    }
    Ok(())
}

/// What the engine says last, for a message.
pub(crate) fn last_events(engine: &Connection) -> String {
    let events = match engine.events().list(&Query::new().max(EVENTS)) {
        Ok(events) => events,
        Err(error) => return format!("; its events cannot be had: {error}"),
    };
    let texts: Vec<String> = events.into_iter().filter_map(|event| event.description).collect();
    if texts.is_empty() {
        return String::new();
    }
    format!("; the engine's last events:\n  {}", texts.join("\n  "))
}
