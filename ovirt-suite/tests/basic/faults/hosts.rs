//! Hosts that do not come up, and hosts that go away.

use lago_test::lago::cmd;
use lago_test::limits::{LONG, SHORT};
use lago_test::{TestResult, assert_equals_within, ensure, fail};
use ovirt_suite::api::types::{Cluster, Host, HostStatus};
use ovirt_suite::maintenance::wait_until_up;
use ovirt_suite::testlib::OvirtApi;
use ovirt_suite::{Error, OvirtPrefix};

use super::evidence::assert_engine_says;
use super::{BRIEF, assert_refused};
use crate::names::CLUSTER;

/// What runs on a host for the engine.
const VDSMD: &str = "vdsmd.service";

/// A host whose password is wrong is refused, with the very reason, and does not become one.
pub(crate) fn host_with_a_wrong_password(prefix: OvirtPrefix, api: OvirtApi) -> TestResult {
    let [machine, ..] = prefix.virt_env().host_vms() else { fail!("there is no host") };
    let host = Host {
        // Under its name: the engine knows the address already.
        address: Some(machine.name().to_owned()),
        root_password: Some("wrong".into()),
        cluster: Some(Box::new(Cluster::named(CLUSTER))),
        ..Host::named("stranger")
    };
    let words =
        "Cannot add Host. SSH authentication failed, verify authentication parameters are correct";
    assert_refused(api.hosts().add(&host), 409, words)?;
    ensure!(api.hosts().find("stranger")?.is_none(), "the engine has it all the same");
    Ok(())
}

/// A host that is to come up and does not: who waits is told which one, and what it is instead. It comes up once it can.
pub(crate) fn host_that_does_not_come_up(prefix: OvirtPrefix, api: OvirtApi) -> TestResult {
    let Some(machine) = prefix.virt_env().host_vms().last() else { fail!("there is no host") };
    let known = api.hosts().named(machine.name())?;
    let host = api.hosts().of(&known)?;
    host.deactivate()?;
    assert_equals_within(LONG, Some(HostStatus::Maintenance), || Ok(host.get()?.status))?;
    machine.run(cmd!("systemctl", "mask", "--runtime", "--now", VDSMD))?;

    host.activate()?;
    let error = wait_until_up(&api, &known, BRIEF).expect_err("nothing runs on it");
    let Error::TimedOut(timed_out) = &error else { fail!("who waits was told {error}") };
    ensure!(timed_out.what.contains(machine.name()) && timed_out.limit == BRIEF, "{error}");
    assert_equals_within(LONG, Some(HostStatus::NonResponsive), || Ok(host.get()?.status))?;
    let error = wait_until_up(&api, &known, BRIEF).expect_err("nothing runs on it");
    ensure!(error.to_string().ends_with("it is non_responsive"), "who waits was told {error}");
    assert_engine_says(&prefix, &["Activation of host", machine.name()])?;

    machine.run(cmd!("systemctl", "unmask", "--runtime", VDSMD))?;
    machine.start_services()?;
    wait_until_up(&api, &known, SHORT)?;
    Ok(())
}
