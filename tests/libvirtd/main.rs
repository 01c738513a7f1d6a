//! What becomes of calls to a libvirtd that does not answer any more.

use std::fs;
use std::path::Path;

use lago_system_tests::{Environment, Place, wait_until};
use rustix::process::{Pid, Signal, kill_process};

/// Lets the process go on when the test is over, also when it fails.
struct Stopped(Pid);

impl Stopped {
    fn stop(process: Pid) -> Self {
        kill_process(process, Signal::STOP).expect("libvirtd can be stopped");
        Self(process)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // It is gone when the test has ended it.
        let _ = kill_process(self.0, Signal::CONT);
    }
}

#[test]
fn calls_to_a_libvirtd_that_hangs_end_with_an_error() {
    let place = Place::new("hung-libvirtd");
    let environment = Environment::new(&place.join("prefix"), "one-vm.yaml");
    environment.power_on(&[]).expect("the VM starts");
    let vm = environment.vms().next().expect("there is a VM").clone();
    assert!(vm.alive().expect("libvirt answers"));

    let stopped = Stopped::stop(libvirtd_of(&environment.paths().host()));
    let error = vm.state().expect_err("nobody answers").to_string();
    assert!(error.contains("libvirt gave no answer"), "{error}");

    drop(stopped);
    wait_until("libvirt answers again", || vm.alive().unwrap_or(false));
}

/// The libvirtd that the first process of the private host in `dir` has started.
fn libvirtd_of(dir: &Path) -> Pid {
    let init = fs::read_to_string(dir.join("init.pid")).expect("the host is running");
    let init = init.trim();
    let children = fs::read_to_string(format!("/proc/{init}/task/{init}/children"));
    let children = children.expect("the host's first process is there");
    let is_libvirtd = |pid: &i32| {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "libvirtd")
    };
    let libvirtd = children.split_whitespace().filter_map(|pid| pid.parse().ok()).find(is_libvirtd);
    libvirtd.and_then(Pid::from_raw).expect("libvirtd is running")
}
