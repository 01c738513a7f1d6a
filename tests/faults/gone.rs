//! VMs that end while something is done with them.

use std::fs;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use lago::guest::{Cmd, GuestError};
use lago::{Error, Prefix, Vm};
use lago_system_tests::{DEFAULT_LIMIT, Environment, Place, Traces, run, wait_until};

/// A VM that is gone is asked after twice a second; the rest is for a busy machine. The command would go on for longer.
const SOON: Duration = Duration::from_secs(60);

#[test]
fn a_vm_that_ends_during_a_command_or_a_start() {
    let place = Place::new("gone");
    let traces = Traces::before(&place.join("prefix"));
    let prefix = Environment::new(&place.join("prefix"), "one-vm.yaml");
    prefix.start().expect("it starts");
    let vm = prefix.vm("vm0").expect("it is in the init file").clone();
    ends_a_command(&vm, "QEMU is killed", || kill_qemu(&prefix));

    prefix.start().expect("it starts again");
    vm.run(Cmd::sh(
        "echo 'echo no power; poweroff -f' >/etc/rc.d/S00power && chmod +x /etc/rc.d/S00power && sync",
    ))
    .expect("it writes");
    ends_a_command(&vm, "the domain is destroyed", || destroy_domain(&prefix));

    ends_a_start(&prefix);
    prefix.stop().expect("it stops after a start that failed");
    prefix.remove_disks().expect("the disks go");
    let error = prefix.start().expect_err("there are no disks").to_string();
    assert!(error.contains("was cleaned up"), "{error}");
    assert!(prefix.paths().console_log("vm0").is_file(), "logs stay");
    drop(prefix);
    traces.assert_none_left();
}

fn ends_a_command(vm: &Vm, how: &str, end: impl FnOnce()) {
    let started =
        // What it printed has a second to come out of the guest.
        Cmd::sh("echo here I am; sleep 1; echo started >/dev/console; sleep 600");
    let (sender, receiver) = mpsc::channel();
    let guest = vm.clone();
    let thread = thread::spawn(move || {
        let result = guest.run(started);
        sender.send(()).expect("somebody waits");
        result
    });
    wait_until("the command", || {
        fs::read_to_string(vm.console_log()).is_ok_and(|log| log.contains("started"))
    });
    end();
    receiver.recv_timeout(SOON).unwrap_or_else(|_| panic!("{how}: it goes on"));
    let error = thread.join().expect("no panic").expect_err("the VM is gone");
    assert!(matches!(error, Error::Guest(GuestError::VmGone { .. })), "{how}: {error:?}");
    let message = error.to_string();
    for part in ["vm0", "sleep 600", "QEMU process has ended", "here I am", "console", "started"] {
        assert!(message.contains(part), "{how}: {part:?} is not in: {message}");
    }
    fs::write(vm.console_log(), "").expect("the log can be emptied");
}

fn ends_a_start(prefix: &Prefix) {
    let error = prefix.start_vms(&[], DEFAULT_LIMIT).expect_err("it powers itself off");
    let message = error.to_string();
    for part in ["vm0", "ssh", "the VM is gone", "powered off", "no power"] {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
}

fn kill_qemu(prefix: &Prefix) {
    inside(prefix, &["pkill", "-KILL", "qemu-system"]);
}

fn destroy_domain(prefix: &Prefix) {
    inside(prefix, &["virsh", "-c", "qemu:///system", "destroy", "vm0"]);
}

/// In the private host, where there are no processes but the prefix's.
fn inside(prefix: &Prefix, words: &[&str]) {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    prefix.host().enter(&mut command).expect("the host runs");
    run(&mut command).ok();
}
