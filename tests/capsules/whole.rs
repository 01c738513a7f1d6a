//! A capsule is the whole environment at one moment, and goes on from there on any machine.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, SystemTime};

use lago::capsule::{SNAPSHOT, SaveOptions};
use lago::snapshot::RevertOptions;
use lago::virt::VmState;
use lago::{Prefix, cmd};
use lago_system_tests::{
    Environment, Place, Traces, connect, identity, in_guest, lago, received, repository_manifest,
    run, wait_until,
};

use crate::open;

/// Less than what it takes to open a capsule, while its clocks stand still.
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn an_environment_goes_on_where_it_was_saved() {
    let place = Place::new("capsule-whole");
    let prefix = Environment::new(&place.join("prefix"), "two-vms.yaml");
    prefix.start().unwrap();
    connect(&prefix);
    let before = identity(&prefix);
    in_guest(&prefix, "server", "echo disk > /root/mark; sync; echo memory > /dev/shm/mark");
    fs::create_dir(prefix.paths().prefix().join("evidence")).unwrap();
    fs::write(prefix.paths().prefix().join("evidence/note"), "it failed").unwrap();

    let file = place.join("failed.lago-capsule");
    let reason = Some("the test wants it".to_owned());
    let at = SystemTime::now();
    let saved =
        prefix.save_capsule(&file, &SaveOptions { reason, ..SaveOptions::default() }).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);
    assert!((1 << 20..100 << 20).contains(&saved.bytes), "{saved:?}");
    assert_nothing_has_changed(&prefix);
    in_guest(&prefix, "server", "rm /root/mark /dev/shm/mark; killall nc");

    let traces = Traces::before(&place.join("opened"));
    let opened = open(&file, &place.join("opened")).unwrap();
    stands_still(&opened);
    let second = open_elsewhere(&place);
    opened.resume(&[]).unwrap();
    goes_on(&opened, at);
    goes_on(&second, at);
    assert_eq!(identity(&opened), before);
    // Each is on a host of its own, so neither sees what the other does.
    in_guest(&opened, "server", "echo changed > /dev/shm/mark; echo changed > /root/mark; sync");
    assert_eq!(in_guest(&second, "server", "cat /root/mark /dev/shm/mark"), "disk\nmemory\n");

    let paused = RevertOptions { paused: true, ..RevertOptions::default() };
    opened.revert_with(SNAPSHOT, paused).unwrap();
    stands_still(&opened);
    opened.resume(&["server".to_owned()]).unwrap();
    assert_eq!(opened.vm("client").unwrap().state().unwrap(), VmState::Paused);
    assert_eq!(in_guest(&opened, "server", "cat /root/mark /dev/shm/mark"), "disk\nmemory\n");
    drop(opened);
    traces.assert_none_left();
}

/// The VMs run on, and nothing but their disks' layer is another one.
fn assert_nothing_has_changed(prefix: &Prefix) {
    let count = received(prefix);
    wait_until("the connection to go on", || received(prefix) > count);
    assert_eq!(prefix.snapshots().unwrap(), []);
    assert_eq!(prefix.current_snapshot().unwrap(), None);
    let left = fs::read_dir(prefix.paths().snapshots()).unwrap();
    assert_eq!(left.count(), 0);
    prefix.snapshot("next").unwrap();
    prefix.revert("next").unwrap();
    assert_eq!(in_guest(prefix, "server", "cat /root/mark /dev/shm/mark"), "disk\nmemory\n");
}

/// As on another machine: another home, and a store that gets the template from its repository.
fn open_elsewhere(place: &Place) -> Environment {
    let elsewhere = place.join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let mut command = lago(["capsule", "open", "--run"]);
    command.arg(place.join("failed.lago-capsule")).current_dir(&elsewhere);
    command.env("HOME", &elsewhere).env("LAGO_STORE", elsewhere.join("store"));
    let ran = run(&mut command);
    let said = ran.stderr.clone();
    ran.ok();
    assert!(said.contains("the test wants it"), "{said}");
    assert!(said.contains("`lago shell server` gets into one"), "{said}");
    // `lago shell` alone walks in: it is the workdir's current prefix.
    let mut shell = lago(["shell", "server", "-c", "hostname"]);
    assert_eq!(run(shell.current_dir(&elsewhere).env("HOME", &elsewhere)).ok(), "server\n");
    let prefix = Prefix::open(elsewhere.join(".lago/failed")).unwrap();
    let stored = fs::read_dir(elsewhere.join("store")).unwrap().count();
    assert!(stored > 0 && repository_manifest().is_file());
    Environment::from(prefix)
}

fn stands_still(prefix: &Prefix) {
    for (vm, state) in prefix.states().unwrap() {
        assert_eq!(state, VmState::Paused, "{}", vm.name());
        let error = vm.run(cmd!("true")).unwrap_err().to_string();
        let expected = format!("VM {0} is paused; `lago resume {0}` lets it run on", vm.name());
        assert_eq!(error, expected);
    }
    let error = prefix.start().unwrap_err().to_string();
    assert!(error.contains("is paused; `lago resume"), "{error}");
}

fn goes_on(prefix: &Prefix, saved: SystemTime) {
    assert_eq!(in_guest(prefix, "server", "cat /root/mark /dev/shm/mark"), "disk\nmemory\n");
    let count = received(prefix);
    wait_until("the connection to go on", || received(prefix) > count);
    for vm in prefix.vms() {
        let clock = vm.agent().time().unwrap();
        let behind = SystemTime::now().duration_since(clock).unwrap_or_default();
        assert!(clock > saved - SECOND && behind > SECOND, "{} is {behind:?} behind", vm.name());
        let log = fs::read_to_string(vm.console_log()).unwrap();
        assert!(!log.is_empty(), "what it said before is there");
    }
    let root = prefix.paths().prefix();
    assert_eq!(fs::read_to_string(root.join("evidence/note")).unwrap(), "it failed");
    assert!(root.join("logs/host/qemu/server.log").is_file());
    assert_eq!(prefix.current_snapshot().unwrap().as_deref(), Some(SNAPSHOT));
}
