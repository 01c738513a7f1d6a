//! One guest, in one state after the other.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use lago::collect::{CollectOptions, Collected};
use lago::guest::Cmd;
use lago::virt::VmState;
use lago::{Prefix, Vm};
use lago_system_tests::{DEFAULT_LIMIT, Environment, Place, Traces, lago, run, wait_until};

const INIT_FILE: &str = "
domains:
  vm0:
    memory: 128
    vcpu: 1
    nics: [{net: lan}]
    artifacts: [/etc, /root/notes/last, /no/such/file]
    disks:
      - {name: root, type: template, template_name: mini, dev: vda, format: qcow2}
nets:
  lan: {type: nat, gw: 192.168.90.1, management: true}
";

/// What the guest wrote, and has synced.
const NOTE: &str = "a note";

/// What comes by every way into the guest.
const ALWAYS: [&str; 4] =
    ["README.txt", "vm0/console.log", "vm0/qemu.log", "vm0/artifacts/root/notes/last"];

/// What only libvirt knows.
const FROM_LIBVIRT: [&str; 2] = ["vm0/domain.xml", "vm0/screenshot.png"];

/// What only a guest that answers knows.
const FROM_GUEST: [&str; 4] =
    ["vm0/syslog.txt", "vm0/dmesg.txt", "vm0/services.txt", "vm0/processes.txt"];

pub(crate) fn alive_and_dead() {
    let place = Place::new("evidence-collect");
    let traces = Traces::before(&place.join("prefix"));
    let prefix = Environment::from_text(&place.join("prefix"), INIT_FILE);
    prefix.start().expect("it starts");
    let vm = prefix.vm("vm0").expect("it is in the init file").clone();
    vm.run(Cmd::sh(
        "logger -t test 'a line of the log'; mkdir /root/notes; printf '%s' \"$1\" >/root/notes/text
        ln -s text /root/notes/last; ln -s /etc/passwd /etc/outside; sync",
    )
    .arg(NOTE))
    .expect("it writes");
    prefix.snapshot("start").expect("it is saved");

    over_ssh(&prefix, &place);
    through_the_agent(&prefix, &vm, &place);
    off_the_disk_of_a_kernel_that_panicked(&prefix, &vm, &place);
    with_a_libvirt_that_hangs(&prefix, &place);
    off_the_disk_of_a_vm_that_is_gone(&prefix, &vm, &place);
    by_the_command(&prefix, &place);
    drop(prefix);
    traces.assert_none_left();
}

fn over_ssh(prefix: &Prefix, place: &Place) {
    let mut options = CollectOptions::new("over ssh");
    options.since = Some(Duration::from_secs(3600));
    let evidence = Evidence::collect(prefix, place, &options);
    evidence.has(&ALWAYS);
    evidence.has(&FROM_LIBVIRT);
    evidence.has(&FROM_GUEST);
    assert!(evidence.text("vm0/syslog.txt").contains("a line of the log"));
    assert!(evidence.text("vm0/state.txt").contains("running ("));
    assert!(evidence.text("vm0/state.txt").contains("192.168.90.2/24"));
    assert!(evidence.text("vm0/console.log").contains("mini: up after"));
    assert!(evidence.text("vm0/processes.txt").contains("dropbear"));
    let services = evidence.text("vm0/services.txt");
    assert!(services.contains("which is since the stage began") && services.contains("qemu-ga"));
    let image = fs::read(evidence.path("vm0/screenshot.png")).expect("it reads");
    assert!(image.starts_with(b"\x89PNG\r\n\x1a\n"));
    evidence.is_private();
    evidence.lacks_only(&["vm0/artifacts/no/such/file"]);
}

fn through_the_agent(prefix: &Prefix, vm: &Vm, place: &Place) {
    vm.run(Cmd::sh("service sshd stop")).expect("it runs");
    vm.ssh().forget_sessions();
    wait_until("sshd to be gone", || vm.ssh().run(&Cmd::new("true")).is_err());
    let evidence = Evidence::collect(prefix, place, &CollectOptions::new("agent"));
    evidence.has(&ALWAYS);
    evidence.has(&FROM_LIBVIRT);
    evidence.has(&FROM_GUEST);
    assert!(evidence.text("README.txt").contains("/etc of the guest, through the guest agent"));
    evidence.lacks_only(&["vm0/artifacts/no/such/file"]);
    prefix.revert("start").expect("it goes back");
}

fn off_the_disk_of_a_kernel_that_panicked(prefix: &Prefix, vm: &Vm, place: &Place) {
    crash(vm);
    let evidence = Evidence::collect(prefix, place, &CollectOptions::new("panic"));
    evidence.has(&ALWAYS);
    evidence.has(&FROM_LIBVIRT);
    assert!(evidence.text("vm0/console.log").contains("Kernel panic - not syncing"));
    assert!(evidence.text("vm0/logs/var/log/messages").contains("a line of the log"));
    assert!(evidence.text("README.txt").contains("/etc of the guest, off the disks"));
    evidence.lacks_only(&["vm0/artifacts/no/such/file", "vm0/journal.txt"]);
    assert_eq!(
        vm.state().expect("libvirt answers"),
        VmState::Running,
        "it was left standing still"
    );
}

/// The guest has panicked as well. Each question has its limit, and all together have one.
fn with_a_libvirt_that_hangs(prefix: &Prefix, place: &Place) {
    signal_libvirtd(prefix, "-STOP");
    let mut options = CollectOptions::new("libvirt hangs");
    options.limit = Duration::from_secs(8);
    let evidence = Evidence::collect(prefix, place, &options);
    signal_libvirtd(prefix, "-CONT");
    assert!(evidence.collected.took < DEFAULT_LIMIT, "{:?}", evidence.collected.took);
    evidence.has(&["README.txt", "vm0/console.log", "vm0/qemu.log", "libvirtd.log"]);
    assert!(evidence.text("README.txt").contains("libvirt does not answer"));
    evidence.lacks(&FROM_LIBVIRT);
}

fn off_the_disk_of_a_vm_that_is_gone(prefix: &Prefix, vm: &Vm, place: &Place) {
    inside(prefix, &["pkill", "-KILL", "qemu-system"]);
    wait_until("the VM to be gone", || vm.state().is_ok_and(|state| state == VmState::Down));
    let evidence = Evidence::collect(prefix, place, &CollectOptions::new("gone"));
    evidence.has(&ALWAYS);
    assert!(evidence.text("vm0/state.txt").contains("failed to get domain"));
    evidence.lacks(&FROM_LIBVIRT);

    prefix.stop().expect("it stops");
    let taken = place.join("taken");
    vm.extract_paths([("/root/notes/last", &taken)]).expect("it is read off the disk");
    assert_eq!(fs::read_to_string(&taken).expect("it is there"), NOTE);
    let error = vm.extract_paths([("/no/such", place.join("none"))]).expect_err("there is none");
    assert!(error.to_string().contains("/no/such out of the guest: no such file"), "{error}");
}

fn by_the_command(prefix: &Prefix, place: &Place) {
    let collect = |output: &str, options: &[&str]| {
        let mut command = lago(["--prefix-path".as_ref(), prefix.paths().prefix().as_os_str()]);
        command.args(["-f", "flat", "collect", "--output"]).arg(place.join(output)).args(options);
        run(&mut command)
    };
    let printed = collect("by-command", &[]).ok();
    assert!(printed.contains("Collected/files/vm0/artifacts/root/notes/last"), "{printed}");
    assert!(place.join("by-command/README.txt").is_file());
    let by_the_name_of_lago = place.join("by-command/vm0/_root_notes_last");
    assert!(by_the_name_of_lago.is_symlink() && by_the_name_of_lago.is_file());
    collect("by-command", &[]).ok();
    let renamed = fs::read_dir(place.path())
        .expect("it is there")
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("by-command."));
    assert_eq!(renamed.count(), 1, "the first one makes room");
    let strict = collect("strict", &["--no-skip"]).failed(1);
    assert!(strict.contains("vm0/artifacts/no/such/file"), "{strict}");
}

/// Makes the guest's kernel panic, a second after the command has come back.
fn crash(vm: &Vm) {
    vm.run(Cmd::sh("(sleep 1; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 &")).expect("it runs");
    wait_until("the panic", || {
        fs::read(vm.console_log())
            .is_ok_and(|log| String::from_utf8_lossy(&log).contains("end Kernel panic"))
    });
}

/// The host's first process starts libvirtd again if it dies; stopping it is another matter.
fn signal_libvirtd(prefix: &Prefix, signal: &str) {
    inside(prefix, &["pkill", signal, "-x", "libvirtd"]);
}

/// In the private host, where there are no processes but the prefix's.
fn inside(prefix: &Prefix, words: &[&str]) {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    prefix.host().enter(&mut command).expect("the host runs");
    run(&mut command).ok();
}

struct Evidence {
    collected: Collected,
}

impl Evidence {
    #[track_caller]
    fn collect(prefix: &Prefix, place: &Place, options: &CollectOptions) -> Self {
        let directory = place.join("evidence").join(options.title.replace(' ', "-"));
        let collected = prefix.collect(&directory, options).expect("the directory can be made");
        Self { collected }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.collected.directory.join(name)
    }

    #[track_caller]
    fn text(&self, name: &str) -> String {
        let read = fs::read(self.path(name));
        String::from_utf8_lossy(&read.unwrap_or_else(|error| panic!("{name}: {error}")))
            .into_owned()
    }

    #[track_caller]
    fn has(&self, names: &[&str]) {
        for name in names {
            let listed = self.collected.files.iter().find(|file| file.path == Path::new(name));
            let listed = listed.unwrap_or_else(|| panic!("no {name} in {:#?}", self.collected));
            let size = self.path(name).metadata().expect("it is there").len();
            assert!(size > 0 && size == listed.bytes, "{name} has {size} bytes: {listed:?}");
        }
        if names.contains(&"vm0/artifacts/root/notes/last") {
            assert_eq!(self.text("vm0/artifacts/root/notes/last"), NOTE);
            let outside = self.text("vm0/artifacts/etc/outside");
            assert_eq!(outside, "a symbolic link in the guest, to /etc/passwd\n");
            assert!(self.text("vm0/artifacts/etc/os-release").contains("mini"));
        }
    }

    #[track_caller]
    fn lacks(&self, names: &[&str]) {
        for name in names {
            let missing = &self.collected.missing;
            assert!(missing.iter().any(|one| one.path == Path::new(name)), "{name}: {missing:#?}");
            assert!(self.text("README.txt").contains(name));
        }
    }

    #[track_caller]
    fn lacks_only(&self, names: &[&str]) {
        self.lacks(names);
        assert_eq!(self.collected.missing.len(), names.len(), "{:#?}", self.collected.missing);
    }

    /// Nobody else may read it.
    #[track_caller]
    fn is_private(&self) {
        let mode = |path: &Path| path.metadata().expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode(&self.collected.directory), 0o700);
        for file in &self.collected.files {
            let path = self.collected.directory.join(&file.path);
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }
}
