//! Starting, stopping, and every way in which that is cut short.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use lago::host::{Host, HostError, StrayReason, strays};
use nix::sys::signal::Signal;

use crate::STARTER_VARIABLE;
use crate::fixture::{Fixture, kill, lives, wait_until};

/// A domain that needs no disk, no network and hardly any memory.
const SMALL_DOMAIN: &str = "<domain type='qemu'><name>small</name><memory unit='MiB'>32</memory>\
     <os><type arch='x86_64' machine='q35'>hvm</type></os></domain>";

/// The part of a process that starts a host.
pub(crate) fn be_a_starter(dir: &Path) -> ExitCode {
    Host::private(dir).start().unwrap();
    println!("started");
    loop {
        std::thread::park();
    }
}

fn starter(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .env(STARTER_VARIABLE, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

pub(crate) fn start_enter_stop_leaves_nothing() {
    let fixture = Fixture::started();
    assert!(fixture.host.is_running());
    assert_eq!(fixture.say("id -u"), "0");
    assert_eq!(fixture.say("ip -o link | wc -l"), "1");
    let namespaces = fixture.namespaces();
    assert_eq!(namespaces.len(), 3);
    let mut inside = fixture.shell("sleep 1000").spawn().unwrap();

    fixture.host.stop().unwrap();
    assert!(!fixture.host.is_running());
    assert!(!inside.wait().unwrap().success());
    fixture.assert_nothing_is_left(&namespaces);
    assert!(matches!(fixture.host.libvirt_uri(), Err(HostError::NotRunning { .. })));
}

pub(crate) fn start_and_stop_again_do_nothing() {
    let fixture = Fixture::new();
    fixture.host.stop().unwrap();
    assert!(!fixture.dir().exists());
    fixture.host.start().unwrap();
    let first = fixture.first_process();
    fixture.host.start().unwrap();
    Host::private(fixture.dir()).start().unwrap();
    assert_eq!(fixture.first_process(), first);
    fixture.host.stop().unwrap();
    fixture.host.stop().unwrap();
    fixture.host.start().unwrap();
    assert_ne!(fixture.first_process(), first);
}

pub(crate) fn two_starts_at_once_make_one_host() {
    let fixture = Fixture::new();
    let mut other = starter(&fixture.dir());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| fixture.host.start().unwrap());
        }
    });
    wait_until_started(&mut other);
    let script = fixture.dir().join("init.sh");
    let first_processes: Vec<i32> = crate::fixture::with_argument(&script)
        .into_iter()
        .filter(|pid| {
            fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(b"/bin/sh"))
        })
        .collect();
    assert_eq!(first_processes, [fixture.first_process()]);
    other.kill().unwrap();
    other.wait().unwrap();
}

pub(crate) fn a_host_outlives_its_killed_starter() {
    let fixture = Fixture::new();
    let mut other = starter(&fixture.dir());
    wait_until_started(&mut other);
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(fixture.host.is_running());
    fixture.libvirt().lib_version().unwrap();
    let namespaces = fixture.namespaces();
    fixture.host.stop().unwrap();
    fixture.assert_nothing_is_left(&namespaces);
}

/// Killed at many moments between the first process and the answer of libvirt.
pub(crate) fn a_start_killed_half_way_is_found() {
    for milliseconds in (0..120).step_by(8) {
        let fixture = Fixture::new();
        let mut other = starter(&fixture.dir());
        std::thread::sleep(Duration::from_millis(milliseconds));
        other.kill().unwrap();
        other.wait().unwrap();
        if milliseconds % 16 == 0 {
            fixture.host.start().unwrap();
            fixture.libvirt().lib_version().unwrap();
        }
        fixture.host.stop().unwrap();
        fixture.assert_nothing_is_left(&[]);
    }
}

pub(crate) fn a_killed_libvirtd_comes_back() {
    let fixture = Fixture::started();
    let uri = fixture.host.libvirt_uri().unwrap();
    replace_libvirtd(&fixture);
    wait_until("it answers", || virt::connect::Connect::open(Some(&uri)).is_ok());
    let log = fs::read_to_string(fixture.dir().join("host.log")).unwrap();
    assert!(log.contains("libvirtd ended with status 137; the next one starts in 100 ms"), "{log}");
    // The second time it takes longer, so that a libvirtd that cannot live does not eat the machine.
    let start = Instant::now();
    replace_libvirtd(&fixture);
    assert!(start.elapsed() >= Duration::from_millis(200), "{:?}", start.elapsed());
}

pub(crate) fn a_domain_outlives_its_libvirtd() {
    let fixture = Fixture::started();
    let domain = fixture.libvirt().create_domain_xml(SMALL_DOMAIN, 0).unwrap();
    let qemu = fixture.say("pidof -s qemu-system-x86_64");
    drop(domain);
    replace_libvirtd(&fixture);
    let uri = fixture.host.libvirt_uri().unwrap();
    let running = || {
        let libvirt = virt::connect::Connect::open(Some(&uri)).ok()?;
        libvirt.lookup_domain_by_name("small").ok()?.is_active().ok()
    };
    wait_until("the next libvirtd knows the domain", || running() == Some(true));
    assert_eq!(fixture.say("pidof -s qemu-system-x86_64"), qemu);
    // libvirt kills QEMU, which is now a child of the first process, and waits until its number is gone.
    let libvirt = fixture.libvirt();
    let domain = libvirt.lookup_domain_by_name("small").unwrap();
    // Waits until libvirt has its connection to QEMU back. Destroyed before, a domain is gone, but libvirt says that
    // it does not know it.
    domain.suspend().unwrap();
    domain.destroy().unwrap();
    wait_until("QEMU is gone", || fixture.say("pidof -s qemu-system-x86_64 || true").is_empty());
}

pub(crate) fn all_ends_with_the_first_process() {
    let fixture = Fixture::started();
    fixture.libvirt().create_domain_xml(SMALL_DOMAIN, 0).unwrap();
    let namespaces = fixture.namespaces();
    kill(fixture.first_process(), Signal::SIGKILL);
    wait_until("the host is not running", || !fixture.host.is_running());
    fixture.host.stop().unwrap();
    fixture.assert_nothing_is_left(&namespaces);
    fixture.host.start().unwrap();
    assert_eq!(fixture.libvirt().num_of_domains().unwrap(), 0);
}

pub(crate) fn a_damaged_directory_can_be_stopped() {
    let damages: [fn(&Path); 4] = [
        |dir| fs::remove_file(dir.join("init.pid")).unwrap(),
        |dir| fs::write(dir.join("instance"), "other").unwrap(),
        |dir| {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
                    .unwrap();
            }
        },
        |dir| fs::remove_dir_all(dir).unwrap(),
    ];
    for damage in damages {
        let fixture = Fixture::started();
        let namespaces = fixture.namespaces();
        damage(&fixture.dir());
        fixture.host.stop().unwrap();
        fixture.assert_nothing_is_left(&namespaces);
        fixture.host.start().unwrap();
        fixture.libvirt().lib_version().unwrap();
    }
}

pub(crate) fn a_stale_pid_file_is_not_trusted() {
    let fixture = Fixture::started();
    let mut innocent = Command::new("sleep").arg("1000").spawn().unwrap();
    let pid_file = fixture.dir().join("init.pid");
    fs::write(&pid_file, innocent.id().to_string()).unwrap();
    assert!(fixture.host.is_running());
    fixture.libvirt().lib_version().unwrap();
    fixture.host.stop().unwrap();
    fs::write(&pid_file, innocent.id().to_string()).unwrap();
    assert!(!fixture.host.is_running());
    fixture.host.stop().unwrap();
    assert!(innocent.try_wait().unwrap().is_none());
    innocent.kill().unwrap();
    innocent.wait().unwrap();
}

pub(crate) fn a_stray_is_found_and_removed() {
    let fixture = Fixture::started();
    let pid = fixture.first_process();
    let mine = || strays().into_iter().find(|stray| stray.pid() == pid);
    assert!(mine().is_none());

    fs::write(fixture.dir().join("instance"), "another").unwrap();
    assert_eq!(mine().unwrap().reason(), StrayReason::Superseded);
    fs::remove_dir_all(fixture.dir()).unwrap();
    let stray = mine().unwrap();
    assert_eq!(stray.reason(), StrayReason::DirectoryGone);
    assert_eq!(stray.dir(), fixture.dir());
    stray.remove().unwrap();
    assert!(!lives(pid));
    assert!(mine().is_none());
}

pub(crate) fn a_failed_start_says_why() {
    let fixture = Fixture::new();
    fs::create_dir_all(fixture.dir().join("etc/libvirtd.conf")).unwrap();
    let error = fixture.host.start().unwrap_err().to_string();
    assert!(error.contains("etc/libvirtd.conf"), "{error}");
    fs::remove_dir(fixture.dir().join("etc/libvirtd.conf")).unwrap();

    // libvirtd ends at once when it cannot write into its cache.
    fs::create_dir_all(fixture.dir().join("lib")).unwrap();
    fs::write(fixture.dir().join("lib/qemu"), "").unwrap();
    let error = fixture.host.start().unwrap_err().to_string();
    assert!(error.contains("The last lines of"), "{error}");
    assert!(error.contains("/var/lib/libvirt/qemu"), "{error}");
    assert!(!fixture.host.is_running());
    fixture.assert_nothing_is_left(&[]);

    fs::remove_file(fixture.dir().join("lib/qemu")).unwrap();
    fixture.host.start().unwrap();
}

pub(crate) fn orphans_are_reaped() {
    let fixture = Fixture::started();
    fixture.say("for n in 1 2 3 4 5; do (sleep 0.1 & exec true); done; (true &); exit 0");
    wait_until("no process sleeps", || fixture.say("pidof sleep || true").is_empty());
    wait_until("no zombie is left", || fixture.say("ps -eo stat | grep -c Z || true") == "0");
}

fn wait_until_started(starter: &mut Child) {
    let mut line = String::new();
    BufReader::new(starter.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "started\n");
}

/// Kills libvirtd and waits for the next one.
fn replace_libvirtd(fixture: &Fixture) {
    let noted = || fixture.say("cat /run/libvirtd.pid");
    let killed = noted();
    fixture.say(&format!("kill -9 {killed}"));
    wait_until("another libvirtd runs", || !["", &killed].contains(&noted().as_str()));
}
