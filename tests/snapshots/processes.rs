//! Several processes on one environment: killed in the middle, two at once, on a disk that fills up.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use lago::virt::VmState;
use lago::{Prefix, cmd};
use lago_system_tests::{
    Environment, Place, Traces, init_file, lago, lago_path, run as run_command,
};

use crate::run;

/// A file system that is at rest would keep a write from ending.
const WRITE_LIMIT: Duration = Duration::from_secs(20);

fn verb(path: &Path, args: &[&str]) -> Command {
    let mut command = lago(["--prefix-path".as_ref(), path.as_os_str()]);
    command.args(args);
    command
}

fn run_and_kill(mut command: Command, after: u64) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("lago runs");
    thread::sleep(Duration::from_millis(after));
    // One that has ended already is as good.
    let _ = child.kill();
    child.wait().expect("it is a child");
}

/// The moments are spread over what each verb does on an idle machine.
#[test]
fn killed_at_any_moment_the_environment_is_what_it_was_or_what_it_was_to_be() {
    let place = Place::new("snapshot-killed");
    let path = place.join("prefix");
    let prefix = Environment::new(&path, "one-vm.yaml");
    prefix.start().unwrap();
    run(&prefix, "vm0", "echo before > /dev/shm/mark");
    prefix.snapshot("before").unwrap();
    for (number, after) in [10, 40, 100, 200, 350].into_iter().enumerate() {
        let name = format!("killed-{number}");
        run_and_kill(verb(&path, &["snapshot", &name]), after);
        let opened = Prefix::open(&path).unwrap();
        assert_eq!(run(&opened, "vm0", "cat /dev/shm/mark"), "before\n", "after {after} ms");
        let kept: Vec<_> = opened.snapshots().unwrap().into_iter().map(|kept| kept.name).collect();
        let left: Vec<_> = fs::read_dir(opened.paths().snapshots())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert!(left.iter().all(|left| kept.contains(left)), "{left:?} but {kept:?}");
        if kept.contains(&name) {
            opened.revert(&name).unwrap();
            assert_eq!(run(&opened, "vm0", "cat /dev/shm/mark"), "before\n");
        }
    }
    for after in [10, 40, 100, 200, 350, 600] {
        run(&prefix, "vm0", "echo after > /dev/shm/mark");
        run_and_kill(verb(&path, &["revert", "before"]), after);
        let opened = Prefix::open(&path).unwrap();
        assert_eq!(opened.vm("vm0").unwrap().state().unwrap(), VmState::Running, "{after} ms");
        let mark = run(&opened, "vm0", "cat /dev/shm/mark");
        assert!(["before\n", "after\n"].contains(&&*mark), "after {after} ms: {mark}");
    }
    drop(prefix);
    assert!(!path.exists());
}

/// A process that has the environment open does not open it anew.
#[test]
fn what_a_killed_process_left_is_finished_before_the_next_change() {
    let place = Place::new("snapshot-finished");
    let path = place.join("prefix");
    let prefix = Environment::new(&path, "one-vm.yaml");
    prefix.start().unwrap();
    for (number, after) in [30, 60, 90, 120, 200, 300].into_iter().enumerate() {
        for kind in [&[][..], &["--live"][..]] {
            let name = format!("killed-{number}{}", kind.concat());
            run_and_kill(verb(&path, &[&["snapshot", &name], kind].concat()), after);
            let next = format!("next-{number}{}", kind.concat());
            let taken = prefix.snapshot(&next).unwrap();
            assert_eq!(taken.vms["vm0"].state, VmState::Running, "{name} after {after} ms");
            let wrote = prefix
                .vm("vm0")
                .unwrap()
                .run(cmd!("sh", "-c", "echo > /root/mark; sync").limit(WRITE_LIMIT));
            wrote.unwrap_or_else(|error| panic!("{name} after {after} ms: {error}"));
            let known = prefix.snapshots().unwrap();
            for left in fs::read_dir(prefix.paths().snapshots()).unwrap() {
                let left = left.unwrap().file_name().into_string().unwrap();
                assert!(known.iter().any(|known| known.name == left), "{left} after {after} ms");
            }
        }
    }
    // The last one's memory is compressed by a process that is killed at it, or before, or after.
    for after in [250, 350, 450] {
        run_and_kill(verb(&path, &["snapshot", "last"]), after);
        if prefix.snapshots().unwrap().iter().all(|snapshot| snapshot.name != "last") {
            continue;
        }
        prefix.revert("last").unwrap();
        let files = fs::read_dir(prefix.paths().snapshots().join("last")).unwrap();
        assert_eq!(files.count(), 2, "the memory and its description, after {after} ms");
        prefix.delete_snapshot("last").unwrap();
    }
}

#[test]
fn one_process_takes_while_another_puts_back() {
    let place = Place::new("snapshot-two");
    let path = place.join("prefix");
    let prefix = Environment::new(&path, "one-vm.yaml");
    prefix.start().unwrap();
    run(&prefix, "vm0", "echo here > /dev/shm/mark");
    prefix.snapshot("one").unwrap();
    let at_once = &|args: &[&str]| run_command(&mut verb(&path, args));
    thread::scope(|scope| {
        let verbs =
            [["revert", "one"], ["snapshot", "two"], ["revert", "one"], ["snapshot", "three"]];
        let running = verbs.map(|args| scope.spawn(move || at_once(&args)));
        for ran in running {
            ran.join().unwrap().ok();
        }
    });
    for name in ["two", "three", "one"] {
        prefix.revert(name).unwrap();
        assert_eq!(run(&prefix, "vm0", "cat /dev/shm/mark"), "here\n");
    }
}

/// The disk has room for the VM, and not for its memory. The mount is made in a namespace of its own, so that a plain
/// user may make it and nothing of it stays.
#[test]
fn a_disk_that_fills_up() {
    let place = Place::new("snapshot-full");
    let disk = place.join("disk");
    fs::create_dir(&disk).unwrap();
    let traces = Traces::before(&disk.join("prefix"));
    let script = r#"
        lago() { "$program" --prefix-path "$disk/prefix" "$@"; }
        disk=$1 program=$2
        mount -t tmpfs -o size=30m none "$disk" || exit 100
        lago init "$3" && lago start || exit 101
        echo taking; lago snapshot one && exit 102
        lago capsule save "$disk/x" && exit 115
        lago shell vm0 -c "echo runs on > /dev/shm/mark" || exit 103
        [ -z "$(ls -A "$disk/prefix/snapshots")" ] || exit 104
        [ "$(ls -A "$disk")" = prefix ] || exit 116
        mount -o remount,size=300m "$disk" || exit 105
        lago snapshot one || exit 106
        mkdir "$disk/small" && mount -t tmpfs -o size=1m none "$disk/small" || exit 117
        lago capsule save "$disk/small/x" && exit 118
        [ -z "$(ls -A "$disk/small")" ] || exit 119
        lago capsule save "$disk/x" || exit 120
        "$program" capsule open "$disk/x" "$disk/small/opened" && exit 121
        [ -z "$(ls -A "$disk/small")" ] || exit 122
        umount "$disk/small" && rmdir "$disk/small" && rm "$disk/x" || exit 123
        dd if=/dev/zero of="$disk/filler" bs=1M 2>/dev/null
        echo reverting >&2; lago revert one && exit 107
        echo forking >&2; lago fork one "$disk/fork" && exit 108
        [ ! -e "$disk/fork" ] || exit 109
        write="dd if=/dev/zero of=/root/more bs=64k count=300 conv=fsync"
        lago shell vm0 -c "$write" && exit 124
        lago shell vm0 -c true && exit 125
        rm "$disk/filler"
        lago resume vm0 || exit 126
        lago shell vm0 -c "sync && grep runs /dev/shm/mark && ls /root/more" || exit 110
        lago revert one && lago fork one "$disk/fork" || exit 111
        "$program" --prefix-path "$disk/fork" shell vm0 -c "grep runs /dev/shm/mark" || exit 112
        "$program" --prefix-path "$disk/fork" destroy --yes && lago destroy --yes || exit 113
        left=$(ls -A "$disk")
        [ -z "$left" ] || { echo "left: $left"; exit 114; }"#;
    let settings = lago(Vec::<&str>::new());
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user", "--map-auto"]);
    }
    command.args(["--mount", "sh", "-c", script, "sh"]);
    command.arg(&disk).arg(lago_path()).arg(init_file("one-vm.yaml"));
    command.envs(settings.get_envs().filter_map(|(name, value)| Some((name, value?))));
    // The store must have the image before: it is on another disk, which is not full.
    drop(Environment::new(&place.join("filled-store"), "one-vm.yaml"));
    let ran = run_command(&mut command);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert!(ran.stderr.matches("No space left on device").count() >= 5, "{}", ran.stderr);
    let held = "QEMU holds it still; the disk of this machine";
    assert!(ran.stderr.matches(held).count() >= 2, "cut off, and not begun: {}", ran.stderr);
    traces.assert_none_left();
}
