//! VMs that run and move.

use lago_test::limits::LONG;
use lago_test::{Failure, TestResult, ensure};
use ovirt_suite::api::types::{Host, HostStatus, Id, Placement, Vm, VmStatus};
use ovirt_suite::api::{Connection, Resource};
use ovirt_suite::testlib::OvirtApi;

use super::vm;
use crate::machines::Machines;
use crate::names::VM0;
use crate::wait;

fn hosts_that_are_up(engine: &Connection) -> Result<Vec<Host>, Failure> {
    let mut hosts = engine.hosts().all()?;
    hosts.retain(|host| host.status == Some(HostStatus::Up));
    hosts.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(hosts)
}

/// The host that a VM runs on.
fn host_of(vm: &Resource<Vm>) -> Result<Id, Failure> {
    let host = vm.get()?.host.and_then(|host| host.id);
    host.ok_or_else(|| Failure::new("the VM runs on no host"))
}

/// Starts a VM on the host that is chosen for it.
pub(crate) fn vm_run(engine: OvirtApi, machines: Machines) -> TestResult {
    let host = hosts_that_are_up(&engine)?.into_iter().next();
    let host = host.ok_or_else(|| Failure::new("no host is up"))?;
    let placement =
        Placement { hosts: Some(vec![Host::with_id(host.id()?)].into()), ..Placement::default() };
    let vm = vm(&engine, VM0)?;
    vm.start_with(Vm { placement_policy: Some(placement), ..Vm::default() })?;
    wait::for_vm(&vm, VmStatus::Up, LONG)?;
    let runs_on = host_of(&vm)?;
    ensure!(runs_on == *host.id()?, "it runs on another host than {:?}: {runs_on}", host.name);
    machines.assert_runs_on(vm.get()?.id()?, &host)
}

/// Moves a VM to the other host.
pub(crate) fn vm_migrate(engine: OvirtApi, machines: Machines) -> TestResult {
    let vm = vm(&engine, VM0)?;
    let before = host_of(&vm)?;
    let other =
        hosts_that_are_up(&engine)?.into_iter().find(|host| host.id.as_ref() != Some(&before));
    let other = other.ok_or_else(|| Failure::new("there is no other host that is up"))?;
    vm.migrate(Some(&other))?;
    lago_test::assert_equals_within(LONG, (Some(VmStatus::Up), other.id.clone()), || {
        let now = vm.get()?;
        Ok((now.status, now.host.and_then(|host| host.id)))
    })?;
    let after = host_of(&vm)?;
    ensure!(after != before, "it is still on the same host");
    machines.assert_runs_on(vm.get()?.id()?, &other)
}
