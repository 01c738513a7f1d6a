//! Devices that were attached to a VM, in forks of it and when the process that attaches them is killed.

use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, thread};

use lago::Prefix;
use lago::virt::NewDisk;
use lago_system_tests::{Environment, Place, wait_until};

use crate::run;

/// Makes [`attach_and_detach_for_ever`] do so, in this prefix.
const PREFIX_VARIABLE: &str = "SNAPSHOTS_TEST_PREFIX";

/// What the guest calls the disk with this serial number; empty if there is none.
fn device(prefix: &Prefix, serial: &str) -> String {
    let script = format!("grep -l '^{serial}' /sys/block/vd*/serial 2>/dev/null | cut -d/ -f4");
    run(prefix, "vm0", &script).trim().to_owned()
}

#[test]
fn a_fork_has_what_was_attached_and_its_own_of_it() {
    let place = Place::new("attached-fork");
    let prefix = Environment::new(&place.join("prefix"), "one-vm.yaml");
    prefix.start().unwrap();
    let vm = prefix.vm("vm0").unwrap();
    let dev = vm.attach_disk(&NewDisk::empty(16 << 20)).unwrap();
    let nic = vm.attach_nic("lan").unwrap();
    wait_until("the disk", || !device(&prefix, &dev).is_empty());
    let disk = device(&prefix, &dev);
    run(&prefix, "vm0", &format!("echo first >/dev/{disk}; sync"));
    prefix.snapshot("attached").unwrap();
    run(&prefix, "vm0", &format!("echo later >/dev/{disk}; sync"));

    let fork = prefix.fork("attached", place.join("fork")).unwrap();
    let other = fork.vm("vm0").unwrap();
    let read = format!("dd if=/dev/{disk} bs=512 count=1 iflag=direct 2>/dev/null | head -n 1");
    assert_eq!(run(&fork, "vm0", &read), "first\n");
    assert_eq!(other.nic(nic.number()).unwrap().mac(), nic.mac());
    run(&fork, "vm0", &format!("echo fork >/dev/{disk}; sync"));
    other.detach_nic(nic.number()).unwrap();
    other.detach_disk(&dev).unwrap();
    fork.revert("attached").unwrap();
    assert_eq!(run(&fork, "vm0", &read), "first\n");
    fork.destroy().unwrap();

    assert_eq!(run(&prefix, "vm0", &read), "later\n");
    // The network is made anew, and knows the card again.
    prefix.stop().unwrap();
    prefix.start().unwrap();
    let client = "ip link set eth1 up; udhcpc -q -n -t 10 -T 1 -i eth1 -s /bin/true -v 2>&1";
    let leased = run(&prefix, "vm0", client);
    assert!(leased.contains(&format!("lease of {} obtained", nic.ip())), "{leased}");
    vm.detach_nic(nic.number()).unwrap();
    vm.detach_disk(&dev).unwrap();
}

/// Not a test of its own: what the other process of the test below does.
#[test]
fn attach_and_detach_for_ever() {
    let Some(path) = env::var_os(PREFIX_VARIABLE) else { return };
    let prefix = Prefix::open(path).unwrap();
    let vm = prefix.vm("vm0").unwrap();
    loop {
        let dev = vm.attach_disk(&NewDisk::empty(1 << 20)).unwrap();
        vm.detach_disk(&dev).unwrap();
    }
}

/// At whatever moment it is killed, what the environment says that it has is what the VM has: a snapshot can be taken and
/// put back.
#[test]
fn killed_while_it_attaches_the_environment_agrees_with_the_vm() {
    let place = Place::new("attached-killed");
    let path = place.join("prefix");
    let prefix = Environment::new(&path, "one-vm.yaml");
    prefix.start().unwrap();
    for (number, after) in [60, 170, 420].into_iter().enumerate() {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "attached::attach_and_detach_for_ever"])
            .env(PREFIX_VARIABLE, &path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(after));
        child.kill().unwrap();
        child.wait().unwrap();

        let opened = Prefix::open(&path).unwrap();
        let name = format!("killed-{number}");
        opened.snapshot(&name).unwrap();
        opened.revert(&name).unwrap();
        let vm = opened.vm("vm0").unwrap();
        if !device(&opened, "vdc").is_empty() {
            vm.detach_disk("vdc").unwrap();
        }
        vm.detach_disk("vdc").unwrap_err();
    }
}
