//! VMs that do not come up.

use std::fs;
use std::time::Duration;

use lago_system_tests::{Environment, Place, Traces, wait_until};

#[test]
fn a_vm_with_nothing_to_boot_from() {
    let place = Place::new("empty-disk");
    let traces = Traces::before(&place.join("prefix"));
    let prefix = Environment::new(&place.join("prefix"), "nothing-to-boot.yaml");
    let error = prefix.start_vms(&[], Duration::from_secs(4)).expect_err("nothing boots");
    let message = error.to_string();
    for part in ["vm0", "ssh does not answer after 4s", "connecting by TCP"] {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
    prefix.stop().expect("it stops");
    prefix.remove_disks().expect("the disks go");
    drop(prefix);
    traces.assert_none_left();
}

#[test]
fn a_vm_that_takes_too_long() {
    let place = Place::new("too-long");
    let prefix = Environment::new(&place.join("prefix"), "one-vm.yaml");
    prefix.power_on(&[]).expect("it starts");
    wait_until("the kernel's first line", || {
        fs::read_to_string(prefix.paths().console_log("vm0")).is_ok_and(|log| !log.is_empty())
    });
    // From that line on it needs less than a second more, so nothing gets through to it meanwhile.
    let nic = prefix.vm("vm0").and_then(|vm| vm.nic(0)).expect("it is in the init file");
    nic.set_link(false).expect("the cable can be pulled");
    let error = prefix.start_vms(&[], Duration::from_secs(1)).expect_err("nothing gets through");
    let message = error.to_string();
    for part in ["vm0", "ssh does not answer after 1s", "console"] {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
    // The start that failed has left it as it was, and another one waits for it.
    nic.set_link(true).expect("the cable can be plugged in");
    prefix.start().expect("it comes up at last");
}
