//! A snapshot is the whole environment at one instant.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lago::snapshot::{RevertOptions, SnapshotKind};
use lago::virt::VmState;
use lago_system_tests::{
    DEFAULT_LIMIT, Environment, Place, connect, identity, received, wait_until,
};

use crate::run;

/// How far apart two clocks may be that show the same time: the guest's is set to whole seconds.
const SAME_TIME: Duration = Duration::from_secs(3);

#[test]
fn memory_disks_and_connections_come_back() {
    let place = Place::new("snapshot-whole");
    let prefix = Environment::new(&place.join("prefix"), "two-vms.yaml");
    prefix.start().unwrap();
    connect(&prefix);
    let before = identity(&prefix);
    run(&prefix, "server", "echo kept > /root/on-disk; sync; echo kept > /dev/shm/in-memory");

    let snapshot = prefix.snapshot("connected").unwrap();
    assert_eq!(snapshot.kind, SnapshotKind::Memory);
    assert!(snapshot.pause > Duration::ZERO && snapshot.pause < snapshot.took, "{snapshot:?}");
    let size = prefix.snapshot_size(&snapshot.name).unwrap();
    assert!((1 << 20..200 << 20).contains(&size.memory), "{size:?}");
    let count = received(&prefix);
    wait_until("the connection to go on", || received(&prefix) > count);

    run(&prefix, "server", "rm /root/on-disk /dev/shm/in-memory; killall nc");
    run(&prefix, "client", "reboot -f >/dev/null 2>&1 &");
    let before_revert = SystemTime::now();
    prefix.revert("connected").unwrap();

    assert_eq!(run(&prefix, "server", "cat /root/on-disk /dev/shm/in-memory"), "kept\nkept\n");
    // The programs at both ends are those that were there, and so is the connection between them.
    let back = received(&prefix);
    wait_until("the connection to go on", || received(&prefix) > back);
    assert_eq!(identity(&prefix), before);
    for vm in prefix.vms() {
        let guests = vm.agent().time().unwrap();
        let behind = before_revert.duration_since(guests).unwrap_or_default();
        let ahead = guests.duration_since(SystemTime::now()).unwrap_or_default();
        let name = vm.name();
        assert!(behind.max(ahead) < SAME_TIME, "the clock of {name}: {behind:?} {ahead:?} off");
    }
}

#[test]
fn a_clock_goes_on_from_the_snapshot_when_asked_to() {
    let place = Place::new("snapshot-clock");
    let prefix = Environment::new(&place.join("prefix"), "one-vm.yaml");
    prefix.start().unwrap();
    let vm = prefix.vms().next().unwrap();
    let long_ago = UNIX_EPOCH + Duration::from_secs(1_500_000_000);
    run(&prefix, vm.name(), "date -u -s @1500000000");
    assert!(vm.agent().time().unwrap() < long_ago + DEFAULT_LIMIT);
    prefix.snapshot("long-ago").unwrap();

    prefix
        .revert_with("long-ago", RevertOptions { set_clocks: false, ..Default::default() })
        .unwrap();
    assert!(vm.agent().time().unwrap() < long_ago + DEFAULT_LIMIT);
    prefix.revert("long-ago").unwrap();
    assert!(vm.agent().time().unwrap() > SystemTime::now() - DEFAULT_LIMIT);
}

#[test]
fn a_stopped_environment_keeps_its_disks_and_comes_back_stopped() {
    let place = Place::new("snapshot-stopped");
    let prefix = Environment::new(&place.join("prefix"), "one-vm.yaml");
    let snapshot = prefix.snapshot("new").unwrap();
    assert_eq!((snapshot.kind, snapshot.pause), (SnapshotKind::Stopped, Duration::ZERO));
    prefix.start().unwrap();
    let vm = prefix.vms().next().unwrap().name().to_owned();
    run(&prefix, &vm, "echo first > /root/mark; sync");
    let live =
        prefix.snapshot_with("live", lago::snapshot::SnapshotOptions { live: true }).unwrap();
    assert_eq!(live.kind, SnapshotKind::Live);
    assert!(live.vms[&vm].memory.is_none());
    run(&prefix, &vm, "echo second > /root/mark; sync");

    prefix.revert("live").unwrap();
    assert_eq!(run(&prefix, &vm, "cat /root/mark"), "first\n");
    prefix.revert("new").unwrap();
    assert_eq!(prefix.states().unwrap()[0].1, VmState::Down);
    assert!(!prefix.host().is_running());
    prefix.start().unwrap();
    assert_eq!(run(&prefix, &vm, "cat /root/mark 2>/dev/null || echo none"), "none\n");
}
