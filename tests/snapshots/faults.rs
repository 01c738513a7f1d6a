//! What goes wrong while a snapshot is taken or put back.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use lago::snapshot::SnapshotOptions;
use lago::virt::VmState;
use lago::{Prefix, cmd};
use lago_system_tests::{DEFAULT_LIMIT, Environment, Place, wait_until};
use rustix::process::{Pid, Signal, kill_process};

use crate::run;

fn started(place: &Place) -> Environment {
    let prefix = Environment::new(&place.join("prefix"), "one-vm.yaml");
    prefix.start().unwrap();
    prefix
}

#[test]
fn a_file_that_was_removed_by_hand_is_named_and_nothing_changes() {
    let place = Place::new("snapshot-removed");
    let prefix = started(&place);
    prefix.snapshot("one").unwrap();
    let memory = settled_memory(&prefix, "one");
    fs::remove_file(&memory).unwrap();
    run(&prefix, "vm0", "echo here > /dev/shm/mark");

    for message in [
        prefix.revert("one").unwrap_err().to_string(),
        prefix.fork("one", place.join("fork")).unwrap_err().to_string(),
    ] {
        assert!(message.contains(&memory.display().to_string()), "{message}");
    }
    assert!(!place.join("fork").exists());
    assert_eq!(run(&prefix, "vm0", "cat /dev/shm/mark"), "here\n");
    prefix.delete_snapshot("one").unwrap();
    assert!(prefix.snapshots().unwrap().is_empty());
}

#[test]
fn a_damaged_file_of_memory_leaves_the_vms_down_and_says_so() {
    let place = Place::new("snapshot-damaged");
    let prefix = started(&place);
    prefix.snapshot("one").unwrap();
    let memory = settled_memory(&prefix, "one");
    let file = fs::OpenOptions::new().write(true).open(&memory).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();

    let error = prefix.revert("one").unwrap_err();
    let message = lago::utils::error_chain(&error);
    assert!(message.contains("its VMs are down"), "{message}");
    assert!(message.contains(&memory.display().to_string()), "{message}");
    assert_eq!(prefix.vm("vm0").unwrap().state().unwrap(), VmState::Down);
    prefix.start().unwrap();
}

/// The file of vm0's memory once it is compressed.
fn settled_memory(prefix: &Prefix, snapshot: &str) -> PathBuf {
    prefix.snapshot_size(snapshot).unwrap();
    let snapshots = prefix.snapshots().unwrap();
    let snapshot = snapshots.into_iter().find(|known| known.name == snapshot).unwrap();
    prefix.paths().prefix().join(snapshot.vms["vm0"].memory.as_ref().unwrap())
}

#[test]
fn a_command_that_runs_during_a_revert_fails_and_the_next_one_works() {
    let place = Place::new("snapshot-command");
    let prefix = started(&place);
    prefix.snapshot("idle").unwrap();
    let vm = prefix.vm("vm0").unwrap();
    // This prefix, as another process has it.
    let other = Prefix::open(prefix.paths().prefix()).unwrap();
    let others_vm = other.vm("vm0").unwrap();
    others_vm.run(cmd!("true")).unwrap();
    thread::scope(|scope| {
        let sleep = || cmd!("sleep", "3600").limit(DEFAULT_LIMIT * 2);
        let commands = [vm, others_vm].map(|vm| scope.spawn(move || vm.run(sleep())));
        wait_until("the commands", || run(&prefix, "vm0", "pidof sleep | wc -w").trim() == "2");
        prefix.revert("idle").unwrap();
        for command in commands {
            let message = command.join().unwrap().unwrap_err().to_string();
            assert!(message.contains("the VM is gone"), "{message}");
        }
    });
    for vm in [vm, others_vm] {
        assert_eq!(vm.run(cmd!("echo", "here")).unwrap().stdout(), "here\n");
    }
}

#[test]
fn a_guest_that_ignores_the_agent() {
    let place = Place::new("snapshot-agent");
    let prefix = started(&place);
    let vm = prefix.vm("vm0").unwrap();
    run(&prefix, "vm0", "killall -STOP qemu-ga");

    let live = prefix.snapshot_with("live", SnapshotOptions { live: true });
    let message = live.unwrap_err().to_string();
    assert!(message.contains("vm0: the guest agent did not"), "{message}");
    assert!(prefix.snapshots().unwrap().is_empty());

    prefix.snapshot("whole").unwrap();
    run(&prefix, "vm0", "date -u -s @1500000000");
    prefix.revert("whole").unwrap();
    let guests: u64 = run(&prefix, "vm0", "date +%s").trim().parse().unwrap();
    let ours = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    assert!(ours.abs_diff(guests) < DEFAULT_LIMIT.as_secs(), "{ours} {guests}");
    assert_eq!(vm.state().unwrap(), VmState::Running);
}

/// Whatever the moment, the VM runs on or is back, and there is a whole snapshot or none.
#[test]
fn a_libvirtd_that_is_killed_meanwhile() {
    let place = Place::new("snapshot-libvirtd");
    let prefix = started(&place);
    run(&prefix, "vm0", "echo here > /dev/shm/mark");
    prefix.snapshot("before").unwrap();
    for (number, delay) in [20, 120, 300].into_iter().enumerate() {
        let name = format!("meanwhile-{number}");
        let taken = killing_libvirtd(&prefix, delay, || prefix.snapshot(&name).map(drop));
        wait_until("the VM to run on", || {
            prefix.vm("vm0").unwrap().state().is_ok_and(|state| state == VmState::Running)
        });
        let kept = prefix.snapshots().unwrap().iter().any(|snapshot| snapshot.name == name);
        assert_eq!(kept, taken.is_ok(), "{taken:?}");
        assert_eq!(run(&prefix, "vm0", "cat /dev/shm/mark"), "here\n");

        let back = killing_libvirtd(&prefix, delay, || prefix.revert("before"));
        if let Err(error) = back {
            let message = lago::utils::error_chain(&error);
            assert!(message.contains("`before`") || message.contains("vm0"), "{message}");
            prefix.revert("before").unwrap();
        }
        assert_eq!(run(&prefix, "vm0", "cat /dev/shm/mark"), "here\n");
    }
}

fn killing_libvirtd<T: Send>(prefix: &Prefix, delay: u64, work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let working = scope.spawn(work);
        thread::sleep(Duration::from_millis(delay));
        kill_process(libvirtd_of(&prefix.paths().host()), Signal::KILL).unwrap();
        working.join().unwrap()
    })
}

/// The libvirtd that the first process of the private host in `dir` has started.
fn libvirtd_of(dir: &Path) -> Pid {
    let find = || {
        let init = fs::read_to_string(dir.join("init.pid")).ok()?;
        let init = init.trim();
        let children = fs::read_to_string(format!("/proc/{init}/task/{init}/children")).ok()?;
        children.split_whitespace().filter_map(|pid| pid.parse().ok()).find(|pid: &i32| {
            fs::read_to_string(format!("/proc/{pid}/comm"))
                .is_ok_and(|name| name.trim() == "libvirtd")
        })
    };
    wait_until("libvirtd", || find().is_some());
    find().and_then(Pid::from_raw).expect("libvirtd is running")
}
