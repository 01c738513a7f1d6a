//! The suites that the tests run. Every scenario leaves its name in the guest and checks which ones it finds there.
#![expect(clippy::needless_pass_by_value, reason = "the harness hands parameters over")]

use std::env;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use lago_system_tests::{init_file, repository_manifest};
use lago_test::lago::cmd;
use lago_test::{
    Failure, IntoScenario as _, Stage, Suite, TestResult, assert_true_within, continue_on_failure,
    ensure, fail, scenarios, seconds,
};

/// Where the fixture's prefix goes.
pub(crate) const WORKDIR: &str = "LAGO_FIXTURE_WORKDIR";

/// Set when `serve::second` is to fail.
pub(crate) const FAIL: &str = "LAGO_FIXTURE_FAIL";

/// The init file, when it is not the usual one.
pub(crate) const INIT_FILE: &str = "LAGO_FIXTURE_INIT_FILE";

lago_test::vms! {
    struct Vm0 = "vm0";
}

pub(crate) fn fixture(name: &str) -> Suite {
    let init_file = env::var_os(INIT_FILE).map_or_else(|| init_file("one-vm.yaml"), PathBuf::from);
    let suite = Suite::new("fixture")
        .workdir(workdir())
        .init_file(init_file)
        .template_repository(repository_manifest())
        .stage(Stage::new("deploy").scenarios(scenarios![install]));
    match name {
        "branches" => suite
            .stage(Stage::new("serve").scenarios(scenarios![first, second, third]))
            .stage(Stage::new("failover").from("deploy").scenarios(scenarios![takes_over]))
            .stage(Stage::new("after").scenarios(scenarios![goes_on])),
        "meeting" => suite
            .stage(Stage::new("left").scenarios(scenarios![meets_right]))
            .stage(Stage::new("right").from("deploy").scenarios(scenarios![meets_left]))
            .stage(Stage::new("after_right").scenarios(scenarios![after_right])),
        "waiting" => suite
            .stage(Stage::new("left").scenarios(scenarios![waits]))
            .stage(Stage::new("right").from("deploy").scenarios(scenarios![waits])),
        "half_waiting" => suite
            .stage(Stage::new("left").scenarios(scenarios![waits]))
            .stage(Stage::new("right").from("deploy").scenarios(scenarios![third])),
        "passing" => suite
            .stage(Stage::new("left").scenarios(scenarios![first]))
            .stage(Stage::new("right").from("deploy").scenarios(scenarios![takes_over])),
        "unsteady" => suite.stage(Stage::new("serve").scenarios(scenarios![
            first,
            dies_at_first.retries(2),
            on_what_was_tried_again.retries(1),
        ])),
        "lost_state" => suite.stage(Stage::new("serve").scenarios(scenarios![
            first,
            continue_on_failure(removes_what_is_saved).retries(2),
            on_what_was_tried_again,
        ])),
        other => panic!("there is no fixture {other}"),
    }
}

/// The names that have been left in the guest.
const TRAIL: &str = "/root/trail";

/// Stays the same until the guest boots.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

fn install(vm: Vm0) -> TestResult {
    let there = vm.output(&cmd!("test", "-e", TRAIL))?;
    ensure!(!there.success(), "the disk is not a fresh one");
    vm.run(cmd!("cp", BOOT_ID, "/root/boot_id"))?;
    leave(&vm, "install")
}

fn first(vm: Vm0) -> TestResult {
    follow(&vm, "install", "first")
}

fn second(vm: Vm0) -> TestResult {
    follow(&vm, "install first", "second")?;
    if env::var_os(FAIL).is_some() {
        fail!("as the test wants it");
    }
    Ok(())
}

fn third(vm: Vm0) -> TestResult {
    follow(&vm, "install first second", "third")
}

fn takes_over(vm: Vm0) -> TestResult {
    follow(&vm, "install", "takes_over")
}

fn goes_on(vm: Vm0) -> TestResult {
    follow(&vm, "install takes_over", "goes_on")
}

fn meets_left(vm: Vm0) -> TestResult {
    meet(&vm, "right", "left")
}

fn meets_right(vm: Vm0) -> TestResult {
    meet(&vm, "left", "right")
}

fn after_right(vm: Vm0) -> TestResult {
    follow(&vm, "install right", "after_right")
}

/// Kills QEMU the first time, fails the second time, and passes then, if each time begins where the first one did.
fn dies_at_first(vm: Vm0) -> TestResult {
    let time = (count("dies_at_first")? - 1) % 3 + 1;
    println!("time {time}");
    follow(&vm, "install first", "dies_at_first")?;
    if time == 1 {
        // The scenario runs on the VM's host.
        let pid = fs::read_to_string(format!("/run/libvirt/qemu/{}.pid", vm.libvirt_name()))?;
        Command::new("kill").args(["-KILL", pid.trim()]).status()?;
    }
    ensure!(time == 3, "time {time} is no good");
    Ok(())
}

/// Fails, and cannot be tried again.
fn removes_what_is_saved() -> TestResult {
    let snapshots = workdir().join("default/snapshots");
    fs::remove_dir_all(snapshots.join("before.serve.removes_what_is_saved"))?;
    fail!("as the test wants it");
}

fn on_what_was_tried_again(vm: Vm0) -> TestResult {
    follow(&vm, "install first dies_at_first", "on_what_was_tried_again")
}

/// How often this was called with this name, this time included.
fn count(name: &str) -> Result<u64, Failure> {
    let mut file = fs::File::options().append(true).create(true).open(shared(name))?;
    file.write_all(b"x")?;
    Ok(file.metadata()?.len())
}

fn waits(vm: Vm0) -> TestResult {
    follow(&vm, "install", "waits")?;
    println!("waiting in {}", std::process::id());
    thread::sleep(seconds(600));
    Ok(())
}

/// Checks what has been left in the guest, and that it has not booted since; then leaves a name.
fn follow(vm: &Vm0, trail: &str, name: &str) -> TestResult {
    let found =
        vm.run(cmd!("cat", TRAIL))?.stdout().split_whitespace().collect::<Vec<_>>().join(" ");
    ensure!(found == trail, "the trail is `{found}`, not `{trail}`");
    vm.run(cmd!("cmp", BOOT_ID, "/root/boot_id"))?;
    leave(vm, name)
}

fn leave(vm: &Vm0, name: &str) -> TestResult {
    vm.run(cmd!("tee", "-a", TRAIL).stdin(format!("{name}\n")))?;
    Ok(())
}

/// Runs at the same time as another scenario whose guest has the same address.
fn meet(vm: &Vm0, own: &str, other: &str) -> TestResult {
    follow(vm, "install", own)?;
    fs::write(shared(own), vm.ip().to_string())?;
    assert_true_within(seconds(60), || Ok(shared(other).exists()))?;
    let others = fs::read_to_string(shared(other))?;
    ensure!(others == vm.ip().to_string(), "the other one's address is {others}");
    // The other one has left its name in its own guest.
    let trail = vm.run(cmd!("cat", TRAIL))?;
    ensure!(!trail.stdout().contains(other), "the other one's name is here: {}", trail.stdout());
    Ok(())
}

fn workdir() -> PathBuf {
    env::var_os(WORKDIR).expect("the test names a workdir").into()
}

fn shared(name: &str) -> PathBuf {
    Path::new(&workdir()).join(name)
}
