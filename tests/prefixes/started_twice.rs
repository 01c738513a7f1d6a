//! One prefix that is started more than once.

use std::fs;
use std::path::Path;
use std::thread;

use lago_system_tests::{Environment, Place, lago, run};

#[test]
fn started_by_two_processes_at_once_and_then_again() {
    let place = Place::new("started-twice");
    let prefix = Environment::new(&place.join("prefix"), "one-vm.yaml");
    let path = prefix.paths().prefix().to_owned();
    let start = || run(lago(["start", "--prefix-path"]).arg(&path));

    thread::scope(|scope| {
        let both = [scope.spawn(start), scope.spawn(start)];
        for one in both {
            one.join().expect("the thread does not panic").ok();
        }
    });
    let processes = qemu_processes(&path);
    assert_eq!(processes.len(), 1, "{processes:?}");

    start().ok();
    assert_eq!(qemu_processes(&path), processes);
}

/// The numbers of the processes of QEMU that use a prefix's disks.
fn qemu_processes(prefix: &Path) -> Vec<String> {
    let images = prefix.join("images").to_string_lossy().into_owned();
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").expect("/proc can be read").flatten() {
        let arguments = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let arguments = String::from_utf8_lossy(&arguments).into_owned();
        let is_qemu = arguments.split('\0').next().is_some_and(|word| word.contains("qemu-system"));
        if is_qemu && arguments.contains(&images) {
            found.push(process.file_name().to_string_lossy().into_owned());
        }
    }
    found
}
