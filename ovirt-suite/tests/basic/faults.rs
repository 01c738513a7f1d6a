//! What goes away, and how it is told. Each scenario leaves the environment as it found it.

use lago_test::limits::{LONG, SHORT};
use lago_test::{TestResult, assert_equals_within, assert_true_within, ensure, fail};
use ovirt_suite::api::ApiError;
use ovirt_suite::api::types::{Cluster, Host, HostStatus};
use ovirt_suite::constants::ENGINE_SERVICE;
use ovirt_suite::testlib::OvirtApi;
use ovirt_suite::{Error, OvirtPrefix};

use crate::names::CLUSTER;

/// The engine stops between two calls: the next one says so, and who waits for it is told what is missing.
pub(crate) fn engine_goes_away(prefix: OvirtPrefix, api: OvirtApi) -> TestResult {
    api.hosts().all()?;
    let engine = prefix.virt_env().engine_vm()?;
    let service = engine.service(ENGINE_SERVICE)?;
    service.stop()?;
    let error = api.hosts().all().expect_err("the engine has stopped");
    ensure!(error.is_worth_waiting_for(), "{error:?}");
    let error = engine.get_api_now().expect_err("the engine has stopped");
    ensure!(matches!(error, Error::EngineService { .. }), "{error}");
    service.start()?;
    engine.get_api_within(SHORT)?.hosts().all()?;
    Ok(())
}

/// A host whose password is wrong is refused, or could not be installed: it does not become one.
pub(crate) fn host_with_a_wrong_password(prefix: OvirtPrefix, api: OvirtApi) -> TestResult {
    let [machine, ..] = prefix.virt_env().host_vms() else { fail!("there is no host") };
    let host = Host {
        address: Some(machine.name().to_owned()),
        root_password: Some("wrong".into()),
        cluster: Some(Box::new(Cluster::named(CLUSTER))),
        ..Host::named("stranger")
    };
    match api.hosts().add(&host) {
        Err(ApiError::Fault { detail, .. }) => {
            ensure!(!detail.is_empty(), "the engine does not say why");
        }
        Err(error) => return Err(error.into()),
        Ok(added) => {
            let added = api.hosts().of(&added)?;
            assert_equals_within(LONG, Some(HostStatus::InstallFailed), || {
                Ok(added.get()?.status)
            })?;
            added.remove()?;
        }
    }
    ensure!(api.hosts().find("stranger")?.is_none(), "the engine has it all the same");
    Ok(())
}

/// A host on which vdsmd has stopped is noticed, and taken back when it runs again.
pub(crate) fn host_stops(prefix: OvirtPrefix, api: OvirtApi) -> TestResult {
    let Some(machine) = prefix.virt_env().host_vms().last() else { fail!("there is no host") };
    let host = api.hosts().of(&api.hosts().named(machine.name())?)?;
    ensure!(host.get()?.status == Some(HostStatus::Up), "it is not up to begin with");
    machine.stop_services()?;
    assert_true_within(LONG, || Ok(host.get()?.status != Some(HostStatus::Up)))?;
    machine.start_services()?;
    assert_equals_within(LONG, Some(HostStatus::Up), || Ok(host.get()?.status))
}
