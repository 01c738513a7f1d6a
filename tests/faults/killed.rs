//! Processes that are killed while they make or start a prefix, and what `lago destroy` finds then.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use lago::Prefix;
use lago_system_tests::{Environment, Place, Traces, init_file, lago, run, wait_until};

fn verb(path: &Path, args: &[&str]) -> Command {
    let mut command = lago(["--prefix-path".as_ref(), path.as_os_str()]);
    command.args(args);
    command
}

fn background(mut command: Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("lago runs")
}

fn kill(mut child: Child) {
    child.kill().expect("it is a child");
    child.wait().expect("it is a child");
}

/// From before the first process of the host until libvirt has been asked to start the domain.
#[test]
fn in_the_middle_of_a_start() {
    let place = Place::new("killed-start");
    let path = place.join("prefix");
    for delay in [30, 80, 150, 300, 600, 1200] {
        let traces = Traces::before(&path);
        let one_vm = init_file("one-vm.yaml");
        run(&mut verb(&path, &["init", &one_vm.to_string_lossy()])).ok();
        let start = background(verb(&path, &["start"]));
        thread::sleep(Duration::from_millis(delay));
        kill(start);
        run(&mut verb(&path, &["destroy", "--yes"])).ok();
        traces.assert_none_left();
    }
}

#[test]
fn after_a_start() {
    let place = Place::new("killed-after-start");
    let path = place.join("prefix");
    let traces = Traces::before(&path);
    let prefix = Environment::new(&path, "one-vm.yaml");
    let start = background(verb(&path, &["start"]));
    wait_until("the guest", || {
        fs::read_to_string(prefix.paths().console_log("vm0")).is_ok_and(|log| !log.is_empty())
    });
    kill(start);
    assert!(prefix.is_running().expect("it is known"), "the VM ended with its starter");
    prefix.start().expect("another process waits for the same VM");
    let shell = background(verb(&path, &["shell", "vm0", "-c", "sleep 100"]));
    thread::sleep(Duration::from_millis(300));
    kill(shell);
    let running = traces.left();
    let has = |name: &str| running.iter().any(|trace| trace.contains(name));
    assert!(has("qemu-system") && has("libvirtd") && has("dnsmasq"), "{running:#?}");
    run(&mut verb(&path, &["destroy", "--yes"])).ok();
    traces.assert_none_left();
}

#[test]
fn in_the_middle_of_an_init() {
    let place = Place::new("killed-init");
    let path = place.join("prefix");
    let one_vm = init_file("one-vm.yaml");
    let init = || verb(&path, &["init", &one_vm.to_string_lossy()]);
    for delay in [3, 10, 20, 40, 80] {
        let traces = Traces::before(&path);
        let child = background(init());
        thread::sleep(Duration::from_millis(delay));
        kill(child);
        if !path.join("prefix.json").is_file() {
            run(&mut init()).ok();
        }
        Prefix::open(&path).expect("it is whole");
        run(&mut verb(&path, &["destroy", "--yes"])).ok();
        traces.assert_none_left();
    }
}

#[test]
fn a_damaged_record() {
    let place = Place::new("damaged");
    let path = place.join("prefix");
    let traces = Traces::before(&path);
    let prefix = Environment::new(&path, "one-vm.yaml");
    prefix.power_on(&[]).expect("it starts");
    let record = prefix.paths().record();
    let whole = fs::read(&record).expect("it reads");
    fs::write(&record, &whole[..whole.len() / 2]).expect("it writes");

    let message = run(&mut verb(&path, &["status"])).failed(1);
    assert!(message.contains("prefix.json"), "{message}");
    run(&mut verb(&path, &["destroy", "--yes"])).ok();
    traces.assert_none_left();
}
