//! The suite that the test runs. Its guest gets into trouble of several kinds, each from the same state.
#![expect(clippy::needless_pass_by_value, reason = "the harness hands parameters over")]

use std::env;
use std::thread;

use lago_system_tests::repository_manifest;
use lago_test::lago::guest::Cmd;
use lago_test::{
    IntoScenario as _, Stage, Suite, TestResult, continue_on_failure, fail, scenarios, seconds,
};

/// Where the fixture's prefix goes, and its init file is.
pub(crate) const WORKDIR: &str = "LAGO_FIXTURE_WORKDIR";

lago_test::vms! {
    struct Vm0 = "vm0";
}

pub(crate) fn fixture(name: &str) -> Suite {
    let workdir = env::var(WORKDIR).expect("the test names a workdir");
    let suite = Suite::new("fixture")
        .init_file(format!("{workdir}/LagoInitFile.yaml"))
        .workdir(workdir)
        .template_repository(repository_manifest());
    match name {
        "trouble" => trouble(suite),
        "never_up" => suite
            .bring_up_timeout(seconds(6))
            .stage(Stage::new("first").scenarios(scenarios![is_never_reached])),
        other => panic!("there is no fixture {other}"),
    }
}

fn trouble(suite: Suite) -> Suite {
    suite
        .console_pattern("a sad line", r"\bso sad\b")
        .stage(
            Stage::new("asserts").from_start().scenarios(scenarios![
                continue_on_failure(fails),
                goes_on.allow_console("not so sad"),
            ]),
        )
        .stage(Stage::new("panic").from_start().scenarios(scenarios![panics]))
        .stage(Stage::new("memory").from_start().scenarios(scenarios![runs_out_of_memory]))
        .stage(
            Stage::new("allowed")
                .from_start()
                .allow_console("Kernel panic|end Kernel")
                .scenarios(scenarios![panics_on_purpose]),
        )
        .stage(Stage::new("own").from_start().scenarios(scenarios![is_sad, is_never_reached]))
}

fn fails(vm: Vm0) -> TestResult {
    println!("this is printed");
    vm.run(Cmd::sh(
        "echo 'written before the failure' >/var/log/artifact; echo it is here >/dev/console",
    ))?;
    fail!("as the test wants it")
}

fn goes_on(vm: Vm0) -> TestResult {
    vm.run(Cmd::sh("echo 'not so sad' >/dev/console"))?;
    Ok(())
}

fn panics(vm: Vm0) -> TestResult {
    crash(&vm)?;
    thread::sleep(seconds(600));
    Ok(())
}

/// Waits for the panic, and for the console's lines about it.
fn panics_on_purpose(vm: Vm0) -> TestResult {
    crash(&vm)?;
    thread::sleep(seconds(4));
    Ok(())
}

fn runs_out_of_memory(vm: Vm0) -> TestResult {
    // It looks for the end of the last line.
    vm.run(Cmd::sh("tail /dev/zero >/dev/null 2>&1 &"))?;
    thread::sleep(seconds(600));
    Ok(())
}

fn is_sad(vm: Vm0) -> TestResult {
    vm.run(Cmd::sh("echo 'it is so sad' >/dev/console"))?;
    thread::sleep(seconds(600));
    Ok(())
}

fn is_never_reached() {}

/// One second later, so that the command itself comes back. What is on the disk by then is read from it.
fn crash(vm: &Vm0) -> TestResult {
    vm.run(Cmd::sh("sync; (sleep 1; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 &"))?;
    Ok(())
}
