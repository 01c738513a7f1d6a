//! Processes that are killed while they save or open a capsule.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use lago::Prefix;
use lago::paths::Paths;
use lago::virt::VmState;
use lago_system_tests::{Environment, Place, in_guest, lago};

use crate::{open, save};

fn run_and_kill(mut command: Command, after: u64) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("lago runs");
    thread::sleep(Duration::from_millis(after));
    // One that has ended already is as good.
    let _ = child.kill();
    child.wait().expect("it is a child");
}

/// The moments are spread over what each verb does on an idle machine.
pub(crate) fn while_it_is_saved(place: &Place, prefix: &Environment) {
    let file = place.join("killed.lago-capsule");
    for after in [50, 150, 300, 500, 900] {
        let mut command = lago(["--prefix-path".as_ref(), prefix.paths().prefix().as_os_str()]);
        command.args(["capsule", "save"]).arg(&file);
        run_and_kill(command, after);
        if file.exists() {
            fs::remove_file(&file).unwrap();
        }
        let opened = Prefix::open(prefix.paths().prefix()).unwrap();
        assert_eq!(opened.states().unwrap()[0].1, VmState::Running, "after {after} ms");
        assert_eq!(in_guest(prefix, "vm0", "cat /dev/shm/mark"), "memory\n");
    }
    // What they left is used or removed by the next one.
    save(prefix, &file);
    assert_eq!(fs::read_dir(prefix.paths().snapshots()).unwrap().count(), 0);
    let left = fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().path());
    assert_eq!(left.filter(|path| path.extension().is_some_and(|end| end == "part")).count(), 0);
    fs::remove_file(&file).unwrap();
}

pub(crate) fn while_it_is_opened(place: &Place, file: &Path) {
    let directory = place.join("killed");
    for after in [50, 200, 400, 700, 1100] {
        let mut command = lago(["capsule", "open"]);
        command.arg(file).arg(&directory);
        run_and_kill(command, after);
        let paths = Paths::new(&directory);
        if paths.is_prefix() {
            // It is whole, and what was begun with it is finished.
            let opened = Environment::from(Prefix::open(&directory).unwrap());
            opened.revert("capsule").unwrap();
            assert_eq!(in_guest(&opened, "vm0", "cat /dev/shm/mark"), "memory\n", "{after} ms");
            continue;
        }
        assert!(!directory.exists() || paths.unfinished().exists(), "after {after} ms");
        // The next one takes its place.
        drop(open(file, &directory).unwrap());
        assert!(!directory.exists());
    }
}
