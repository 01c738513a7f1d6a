use lago_test::{TestResult, ensure, fail};
use ovirt_suite::OvirtPrefix;
use ovirt_suite::metadata::Role;

pub(crate) fn vms_are_what_their_metadata_say(prefix: OvirtPrefix) -> TestResult {
    let env = prefix.virt_env();
    let engine = env.engine_vm()?;
    ensure!(
        engine.name() == "engine" && engine.fqdn() == "engine" && engine.password()? == "123456"
    );
    let [host] = env.host_vms() else { fail!("not one host: {:?}", env.host_vms()) };
    ensure!(host.name() == "host-0" && host.role() == Some(Role::Host));
    let expected = ["/var/log/messages", "/etc/issue", "/var/log/vdsm", "/var/log/sanlock.log"];
    ensure!(host.artifact_paths() == expected, "{:?}", host.artifact_paths());
    let unknown = env.get_vm("host-1").expect_err("there is none").to_string();
    ensure!(unknown.contains("host-1") && unknown.contains("engine, host-0"), "{unknown}");
    Ok(())
}

pub(crate) fn runs() {}

pub(crate) fn never_runs() -> TestResult {
    fail!("no host has gills");
}

pub(crate) fn services_that_are_not_there_are_left_out(prefix: OvirtPrefix) -> TestResult {
    let host = &prefix.virt_env().host_vms()[0];
    host.stop_services()?;
    host.start_services()?;
    Ok(())
}
