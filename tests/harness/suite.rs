//! The suites that the tests run.
#![expect(clippy::needless_pass_by_value, reason = "the harness hands parameters over")]

use std::fs;
use std::thread;

use lago_system_tests::{init_file, repository_manifest};
use lago_test::lago::{Prefix, cmd};
use lago_test::{
    Stage, Suite, TestResult, Vms, assert_true_within, continue_on_failure, ensure, fail,
    scenarios, seconds,
};

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
        "failing" => suite.stage(Stage::new("first").scenarios(scenarios![
            writes,
            continue_on_failure(fails),
            goes_on,
        ])),
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

/// Leaves a program behind that is nowhere but in memory.
fn fails(vm: Vm0) -> TestResult {
    let counts = "i=0; while true; do i=$((i+1)); echo $i > /dev/shm/count; sleep 0.1; done";
    vm.run(cmd!("sh", "-c", format!("setsid sh -c '{counts}' </dev/null >/dev/null 2>&1 &")))?;
    assert_true_within(seconds(20), || Ok(count(&vm)? > 2))?;
    println!("about to fail");
    fail!("it fails on purpose")
}

/// As if nobody had looked.
fn goes_on(vm: Vm0) -> TestResult {
    let before = count(&vm)?;
    assert_true_within(seconds(20), || Ok(count(&vm)? > before))?;
    Ok(())
}

fn count(vm: &Vm0) -> Result<u64, lago_test::Failure> {
    let read = vm.output(&cmd!("cat", "/dev/shm/count"))?;
    Ok(read.stdout().trim().parse().unwrap_or(0))
}

fn waits(vm: Vm0) -> TestResult {
    println!("waiting in {}", std::process::id());
    vm.run(cmd!("true"))?;
    thread::sleep(seconds(600));
    Ok(())
}

fn needs_router(_: Router) {}
