//! A host in a directory of its own, and a look at what is left of it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use lago::host::Host;
use virt::connect::Connect;

/// How long anything in these tests may take that is not the host's own limit: a busy machine, not a fast one.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A directory with a host, stopped at the end, however the test ends.
pub(crate) struct Fixture {
    pub(crate) host: Host,
    dir: tempfile::TempDir,
}

impl Fixture {
    /// A host that is not started.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { host: Host::private(dir.path().join("host")), dir }
    }

    /// A running host.
    pub(crate) fn started() -> Self {
        let fixture = Self::new();
        fixture.host.start().unwrap();
        fixture
    }

    /// The host's directory.
    pub(crate) fn dir(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join("host")
    }

    /// The first process, as the host noted it.
    pub(crate) fn first_process(&self) -> i32 {
        fs::read_to_string(self.dir().join("init.pid")).unwrap().trim().parse().unwrap()
    }

    /// A shell command that will run inside.
    pub(crate) fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        // Plain users do not have `nft` on their search path everywhere.
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        self.host.enter(command.args(["-c", script])).unwrap();
        command
    }

    /// What a shell command prints inside, once it has ended well.
    pub(crate) fn say(&self, script: &str) -> String {
        printed(&self.shell(script).output().unwrap())
    }

    pub(crate) fn libvirt(&self) -> Connect {
        Connect::open(Some(&self.host.libvirt_uri().unwrap())).unwrap()
    }

    /// Checks that nothing of the host is left: no process with its directory in its arguments or with one of the
    /// namespaces, and no mount.
    pub(crate) fn assert_nothing_is_left(&self, namespaces: &[PathBuf]) {
        let left = || -> Vec<i32> {
            processes()
                .filter(|pid| mentions(*pid, &self.dir()) || is_in(*pid, namespaces))
                .collect()
        };
        wait_until("no process is left", || left().is_empty());
        let mounts = fs::read("/proc/self/mounts").unwrap();
        assert!(!contains(&mounts, self.dir().as_os_str().as_bytes()), "a mount is left");
    }

    /// The namespaces of the running host.
    pub(crate) fn namespaces(&self) -> Vec<PathBuf> {
        namespaces_of(self.first_process())
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(self.dir().join("host.log"));
            eprintln!("The log of the host:\n{}", log.unwrap_or_default());
        }
        if let Err(error) = self.host.stop() {
            eprintln!("{error}");
        }
    }
}

/// The standard output of a command that ended well.
pub(crate) fn printed(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn kill(pid: i32, signal: nix::sys::signal::Signal) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).unwrap();
}

/// Whether there is such a process, and it is no zombie.
pub(crate) fn lives(pid: i32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|arguments| !arguments.is_empty())
}

fn processes() -> impl Iterator<Item = i32> {
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// The processes outside the host that have this among their arguments, by their numbers outside.
pub(crate) fn with_argument(argument: impl AsRef<OsStr>) -> Vec<i32> {
    let bytes = argument.as_ref().as_bytes();
    let has = |pid: i32| {
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        arguments.split(|byte| *byte == 0).any(|one| one == bytes)
    };
    processes().filter(|pid| has(*pid)).collect()
}

fn mentions(pid: i32, path: &Path) -> bool {
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    contains(&arguments, path.as_os_str().as_bytes())
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn is_in(pid: i32, namespaces: &[PathBuf]) -> bool {
    lives(pid) && namespaces_of(pid).iter().any(|one| namespaces.contains(one))
}

fn namespaces_of(pid: i32) -> Vec<PathBuf> {
    ["net", "mnt", "pid"]
        .iter()
        .filter_map(|kind| fs::read_link(format!("/proc/{pid}/ns/{kind}")).ok())
        .collect()
}
