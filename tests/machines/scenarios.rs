//! A suite with a machine that lago only reaches over ssh, beside a VM. Its scenarios run on the private host, and the machine
//! is elsewhere.
#![expect(clippy::needless_pass_by_value, reason = "the harness hands parameters over")]

use std::env;
use std::fs;
use std::path::PathBuf;

use lago_system_tests::{in_guest, lago, repository_manifest, run};
use lago_test::lago::guest::ServiceState;
use lago_test::lago::spec::ServiceProvider;
use lago_test::lago::virt::VmState;
use lago_test::lago::{Prefix, capsule, cmd};
use lago_test::{Stage, Suite, TestResult, continue_on_failure, ensure, scenarios};

use crate::server::SERVICE;

/// Where the suite's prefix goes, its init file lies, and the machine has its files.
pub(crate) const PLACE: &str = "LAGO_FIXTURE_PLACE";

lago_test::vms! {
    struct Vm0 = "vm0";
    struct Storage = "storage";
    struct Vault = "vault";
}

fn place() -> PathBuf {
    env::var_os(PLACE).expect("the test names a directory").into()
}

pub(crate) fn suite(name: &str) -> Suite {
    Suite::new(name)
        .workdir(place())
        .init_file(place().join("LagoInitFile.yaml"))
        .template_repository(repository_manifest())
        .stage(Stage::new("remote").scenarios(scenarios![
            continue_on_failure(commands_and_copies_work),
            continue_on_failure(services_start_and_stop),
            continue_on_failure(a_password_opens_it),
            continue_on_failure(a_command_that_a_scenario_starts_reaches_it),
            continue_on_failure(what_only_a_vm_can_is_refused),
            continue_on_failure(it_is_no_part_of_snapshots_and_capsules),
        ]))
}

fn commands_and_copies_work(storage: Storage, vm0: Vm0) -> TestResult {
    ensure!(storage.is_remote() && storage.ip().is_loopback());
    ensure!(storage.state()? == VmState::Running);
    ensure!(storage.run(cmd!("echo", "it's here"))?.stdout() == "it's here\n");
    ensure!(vm0.run(cmd!("hostname"))?.stdout() == "vm0\n");
    let (from, to) = (place().join("from"), place().join("to"));
    fs::write(&from, "copied")?;
    storage.copy_to(&from, &to)?;
    ensure!(fs::read_to_string(&to)? == "copied");
    Ok(())
}

fn services_start_and_stop(storage: Storage) -> TestResult {
    let service = storage.service(SERVICE)?;
    ensure!(service.provider()? == ServiceProvider::SysVInit);
    ensure!(service.state()? == ServiceState::Inactive);
    service.start()?;
    ensure!(service.alive()?);
    service.stop()?;
    ensure!(service.state()? == ServiceState::Inactive);
    ensure!(!storage.service("no-such-service")?.exists()?);
    Ok(())
}

fn a_password_opens_it(vault: Vault) -> TestResult {
    ensure!(vault.run(cmd!("id", "-un"))?.stdout() == "root\n");
    Ok(())
}

fn a_command_that_a_scenario_starts_reaches_it(prefix: Prefix) -> TestResult {
    let path = prefix.paths().prefix().to_string_lossy().into_owned();
    let lago =
        |args: &[&str]| run(&mut lago(["-p", &path].into_iter().chain(args.iter().copied()))).ok();
    let status: serde_json::Value = serde_json::from_str(&lago(&["-f", "json", "status"]))?;
    ensure!(status["Prefix"]["VMs"]["storage"]["status"] == "running", "{status:#}");
    ensure!(lago(&["shell", "storage", "-c", "echo $((6 * 7))"]) == "42\n");
    let evidence = place().join("evidence");
    lago(&["collect", "--output", &evidence.to_string_lossy()]);
    let artifact = place().join("server/artifact");
    let collected = evidence.join("storage/artifacts").join(artifact.strip_prefix("/")?);
    ensure!(fs::read_to_string(collected)? == "evidence");
    Ok(())
}

fn what_only_a_vm_can_is_refused(storage: Storage) -> TestResult {
    for (error, action) in [
        (storage.pause().expect_err("it is no VM").to_string(), "cannot pause"),
        (storage.crash().expect_err("it is no VM").to_string(), "cannot crash"),
    ] {
        ensure!(error.contains("only reaches over ssh") && error.ends_with(action), "{error}");
    }
    Ok(())
}

fn it_is_no_part_of_snapshots_and_capsules(prefix: Prefix) -> TestResult {
    let changed = place().join("changed");
    let snapshot = prefix.snapshot("clean")?;
    ensure!(snapshot.outside == ["storage", "vault"], "{snapshot:?}");
    ensure!(snapshot.vms.contains_key("vm0") && !snapshot.vms.contains_key("storage"));
    in_guest(&prefix, "vm0", "echo later > /root/later");
    in_guest(&prefix, "storage", &format!("echo later > {}", changed.display()));
    prefix.revert("clean")?;
    ensure!(in_guest(&prefix, "vm0", "cat /root/later 2>/dev/null || echo none") == "none\n");
    ensure!(fs::read_to_string(changed)? == "later\n");
    let file = place().join("x.lago-capsule");
    prefix.save_capsule(&file, &capsule::SaveOptions::default())?;
    let manifest = capsule::manifest(&file)?;
    ensure!(!manifest.record.init_file.domains.contains_key("storage"));
    prefix.delete_snapshot("clean")?;
    Ok(())
}
