//! The suites that the tests run.
#![expect(clippy::needless_pass_by_value, reason = "the harness hands parameters over")]

use std::fs;
use std::thread;

use lago_system_tests::{init_file, repository_manifest};
use lago_test::lago::{Prefix, cmd};
use lago_test::{Stage, Suite, TestResult, Vms, assert_true_within, ensure, scenarios, seconds};

/// Where the fixture's prefix goes.
pub(crate) const WORKDIR: &str = "LAGO_FIXTURE_WORKDIR";

lago_test::vms! {
    struct Vm0 = "vm0";
    struct Router = "router";
}

pub(crate) fn fixture(name: &str) -> Suite {
    let workdir = std::env::var_os(WORKDIR).expect("the test names a workdir");
    let suite = Suite::new("fixture")
        .workdir(workdir)
        .init_file(init_file("one-vm.yaml"))
        .template_repository(repository_manifest());
    match name {
        "passing" => suite
            .stage(Stage::new("first").scenarios(scenarios![writes]))
            .stage(Stage::new("second").scenarios(scenarios![reads, is_alone])),
        "slow" => suite.stage(Stage::new("first").scenarios(scenarios![writes, waits])),
        "unknown_vm" => {
            suite.stage(Stage::new("first").scenarios(scenarios![writes, needs_router]))
        }
        other => panic!("there is no fixture {other}"),
    }
}

fn writes(vm: Vm0) -> TestResult {
    let there = vm.output(&cmd!("test", "-e", "/root/note"))?;
    ensure!(!there.success(), "the disk is not a fresh one");
    vm.run(cmd!("tee", "/root/note").stdin("note"))?;
    println!("written in {}", std::process::id());
    Ok(())
}

fn reads(vm: Vm0) -> TestResult {
    vm.run(cmd!("tee", "/dev/console").stdin("the note is read\n"))?;
    assert_true_within(seconds(20), || {
        Ok(fs::read_to_string(vm.console_log())?.contains("the note is read"))
    })?;
    ensure!(vm.run(cmd!("cat", "/root/note"))?.stdout() == "note");
    Ok(())
}

fn is_alone(prefix: Prefix, vms: Vms) -> TestResult {
    ensure!(vms.len() == 1 && prefix.is_running()?);
    Ok(())
}

fn waits(vm: Vm0) -> TestResult {
    println!("waiting in {}", std::process::id());
    vm.run(cmd!("true"))?;
    thread::sleep(seconds(600));
    Ok(())
}

fn needs_router(_: Router) {}
