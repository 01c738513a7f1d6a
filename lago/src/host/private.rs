//! The private host: starting, finding, stopping.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufRead, BufReader, PipeReader};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::net::AddressFamily;
use uuid::Uuid;

use super::error::HostError;
use super::init_process::{InitProcess, MARKER, SCRIPT};
use super::libvirt::Question;
use super::time::Deadline;
use super::{capabilities_cache, log, namespaces, search_path};

/// The environment variable that [`Host::enter`](super::Host::enter) sets for a command: the directory of the private
/// host in which it runs.
pub const HOST_VARIABLE: &str = "LAGO_HOST";

/// The longest from the start to an answer of libvirt. It takes half a second; a machine whose processors are all busy
/// with emulated guests needs several.
const START_LIMIT: Duration = Duration::from_secs(60);

/// The longest until all processes of a killed host are gone. It takes milliseconds, unless one of them hangs in a
/// system call, as on a network file system.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// The longest to wait for another process that starts or stops the same host: it may first use up its own limit.
const LOCK_LIMIT: Duration = Duration::from_secs(90);

/// How often to look again at something that sends no event.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Where libvirtd listens, seen from inside.
const SOCKET: &str = "run/libvirt/libvirt-sock";

/// Its presence tells the script that the host was ready once: from then on it restarts libvirtd.
const READY: &str = "run/lago-ready";

const QEMU_CONF: &str = include_str!("qemu.conf");
const LIBVIRTD_CONF: &str = include_str!("libvirtd.conf");
const INIT_SCRIPT: &str = include_str!("init.sh");

#[derive(Debug, Clone)]
pub(super) struct PrivateHost {
    dir: PathBuf,
}

impl PrivateHost {
    pub(super) fn new(dir: &Path) -> Self {
        Self { dir: resolve(dir) }
    }

    pub(super) fn start(&self) -> Result<(), HostError> {
        if self.is_around_this_process() {
            return Ok(());
        }
        self.make_directories()?;
        let _lock = self.lock()?;
        if let Some(init) = self.current() {
            return self.wait_until_ready(&init);
        }
        self.kill_all()?;
        let init = self.spawn()?;
        self.wait_until_ready(&init).inspect_err(|_| {
            // Nobody will use it. That it does not go away either would hide why it did not come up.
            if let Err(error) = self.kill(&init) {
                tracing::warn!("{error}");
            }
        })
    }

    pub(super) fn stop(&self) -> Result<(), HostError> {
        if self.is_around_this_process() {
            return Err(HostError::Inside { dir: self.dir.clone() });
        }
        // Without its directory the host may still run, but then nobody else can start it meanwhile.
        let _lock = if self.dir.is_dir() { Some(self.lock()?) } else { None };
        self.kill_all()?;
        for file in [self.instance_file(), self.pid_file()] {
            remove_if_there(&file)?;
        }
        Ok(())
    }

    pub(super) fn is_running(&self) -> bool {
        self.current().is_some()
    }

    pub(super) fn libvirt_uri(&self) -> Result<String, HostError> {
        if self.is_around_this_process() {
            return Ok(uri_of_socket(&Path::new("/").join(SOCKET)));
        }
        Ok(uri_of_socket(&self.running()?.root(SOCKET)))
    }

    pub(super) fn enter(&self, command: &mut Command) -> Result<(), HostError> {
        if self.is_around_this_process() {
            return Ok(());
        }
        let (init, own_user_namespace) = self.target()?;
        command.env(HOST_VARIABLE, &self.dir);
        namespaces::enter(command, init, own_user_namespace);
        Ok(())
    }

    /// An unconnected TCP socket in the host's network, for an address of the family of this one.
    pub(super) fn tcp_socket(&self, address: SocketAddr) -> Result<OwnedFd, HostError> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let made = if self.is_around_this_process() {
            namespaces::tcp_socket_here(family)
        } else {
            let (init, own_user_namespace) = self.target()?;
            namespaces::tcp_socket(init, own_user_namespace, family)
        };
        made.map_err(|source| HostError::Connect { address, source })
    }

    /// Whether the calling process runs inside this host.
    fn is_around_this_process(&self) -> bool {
        // The variable alone proves nothing, as it may have been handed on to a process outside.
        std::env::var_os(HOST_VARIABLE).is_some_and(|dir| Path::new(&dir) == self.dir)
            && InitProcess::examine(1).is_some_and(|init| init.dir == self.dir)
    }

    /// The host as it runs, for a process outside.
    fn running(&self) -> Result<InitProcess, HostError> {
        self.current().ok_or_else(|| HostError::NotRunning { dir: self.dir.clone() })
    }

    /// What it takes to enter the host: its first process, and whether it has a user namespace of its own.
    fn target(&self) -> Result<(OwnedFd, bool), HostError> {
        let init = self.running()?;
        let namespace_of = |process: &str| {
            let path = format!("/proc/{process}/ns/user");
            fs::read_link(&path).map_err(HostError::io(format!("read {path}")))
        };
        let own_user_namespace = namespace_of("self")? != namespace_of(&init.pid.to_string())?;
        Ok((init.into_descriptor(), own_user_namespace))
    }

    /// The first process of the instance that was started last in this directory, if it runs.
    fn current(&self) -> Option<InitProcess> {
        let instance = fs::read_to_string(self.instance_file()).ok()?;
        let is_current = |init: &InitProcess| init.dir == self.dir && init.instance == instance;
        let from_file = fs::read_to_string(self.pid_file())
            .ok()
            .and_then(|text| InitProcess::examine(text.trim().parse().ok()?))
            .filter(is_current);
        from_file.or_else(|| InitProcess::all().into_iter().find(is_current))
    }

    /// Kills every host of this directory, older instances and half-started ones included.
    fn kill_all(&self) -> Result<(), HostError> {
        InitProcess::all()
            .iter()
            .filter(|init| init.dir == self.dir)
            .try_for_each(|init| self.kill(init))
    }

    fn kill(&self, init: &InitProcess) -> Result<(), HostError> {
        kill(init).map_err(|reason| HostError::Stop {
            dir: self.dir.clone(),
            pid: init.pid,
            reason,
        })
    }

    fn make_directories(&self) -> Result<(), HostError> {
        for part in ["lib", "cache", "log", "etc"] {
            let dir = self.dir.join(part);
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&dir)
                .map_err(HostError::io(format!("create the directory {}", dir.display())))?;
        }
        Ok(())
    }

    /// Keeps other processes from starting or stopping this host. The lock dies with this process.
    fn lock(&self) -> Result<File, HostError> {
        let path = self.dir.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(HostError::io(format!("open the lock {}", path.display())))?;
        let deadline = Deadline::after(LOCK_LIMIT);
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(fs::TryLockError::WouldBlock) if deadline.passed() => {
                    let dir = self.dir.clone();
                    return Err(HostError::Locked { dir, lock: path, limit: LOCK_LIMIT });
                }
                Err(fs::TryLockError::WouldBlock) => thread::sleep(POLL_INTERVAL),
                Err(fs::TryLockError::Error(source)) => {
                    return Err(HostError::io(format!("lock {}", path.display()))(source));
                }
            }
        }
    }

    /// Starts a new instance; returns once its first process runs.
    fn spawn(&self) -> Result<InitProcess, HostError> {
        let instance = Uuid::new_v4().to_string();
        remove_if_there(&self.pid_file())?;
        self.write("etc/qemu.conf", QEMU_CONF)?;
        self.write("etc/libvirtd.conf", LIBVIRTD_CONF)?;
        self.write(SCRIPT, INIT_SCRIPT)?;
        self.write("instance", &instance)?;
        let log = File::create(self.log_file())
            .map_err(HostError::io(format!("create {}", self.log_file().display())))?;
        let (output, input) =
            io::pipe().map_err(HostError::io("make a pipe to the first process of the host"))?;

        let mut command = self.command(&instance);
        command.stdin(Stdio::null()).stdout(input).stderr(log);
        let launched = command.status();
        // Its copy of the pipe's end would keep the reader below waiting.
        drop(command);
        launched.map_err(|error| self.start_error(&format!("cannot run `setsid`: {error}")))?;
        self.first_process(output)
    }

    /// `setsid --fork` makes the host a session of its own, and no child of this process, in which it would become a
    /// zombie.
    fn command(&self, instance: &str) -> Command {
        let mut command = Command::new("setsid");
        command.args(["--fork", "unshare"]);
        if !search_path::is_privileged() {
            command.args(["--user", "--map-root-user", "--map-auto"]);
        }
        command.args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--"]);
        command.arg("/bin/sh").arg(self.dir.join(SCRIPT)).args([MARKER, instance]);
        command.arg(&self.dir);
        if let Some(cache) = capabilities_cache::shared_directory() {
            command.arg(cache);
        }
        // The same whoever starts it: no variable of the starter's changes what libvirt does or ends up in its log.
        command.env_clear().env("PATH", search_path::with_system_directories());
        command.env("LC_ALL", "C").env("HOME", &self.dir).current_dir("/");
        namespaces::keep_only_standard_streams(&mut command);
        command
    }

    /// Reads the process id which the script writes as its first act.
    fn first_process(&self, output: PipeReader) -> Result<InitProcess, HostError> {
        let mut line = String::new();
        if !super::time::wait_readable(&output, START_LIMIT) {
            return Err(self.start_error(&format!(
                "its first process did not run within {} s",
                START_LIMIT.as_secs()
            )));
        }
        BufReader::new(output)
            .read_line(&mut line)
            .map_err(HostError::io("read from the first process of the host"))?;
        line.trim()
            .parse()
            .ok()
            .and_then(InitProcess::examine)
            .ok_or_else(|| self.start_error("its first process ended at once"))
    }

    fn wait_until_ready(&self, init: &InitProcess) -> Result<(), HostError> {
        let deadline = Deadline::after(START_LIMIT);
        let socket = init.root(SOCKET);
        self.wait_until(init, deadline, "libvirtd's socket", || socket.exists().then_some(()))?;
        let uri = uri_of_socket(&socket);
        loop {
            let question = Question::ask(&uri);
            let answer = || question.answer(POLL_INTERVAL);
            match self.wait_until(init, deadline, "libvirt's answer", answer)? {
                Ok(()) => break,
                // The socket is there before libvirtd listens on it, so a refusal need not be final.
                Err(_) if !deadline.passed() => thread::sleep(POLL_INTERVAL),
                Err(reason) => return Err(self.start_error(&reason)),
            }
        }
        let ready = init.root(READY);
        File::create(&ready).map_err(HostError::io(format!("create {}", ready.display())))?;
        Ok(())
    }

    fn wait_until<T>(
        &self,
        init: &InitProcess,
        deadline: Deadline,
        what: &str,
        mut condition: impl FnMut() -> Option<T>,
    ) -> Result<T, HostError> {
        loop {
            if let Some(value) = condition() {
                return Ok(value);
            }
            if init.wait_for_end(POLL_INTERVAL) {
                return Err(self.start_error("its first process ended"));
            }
            if deadline.passed() {
                let limit = START_LIMIT.as_secs();
                return Err(self.start_error(&format!("waited {limit} s for {what}")));
            }
        }
    }

    /// The error of a start: what happened, and the end of the host's log.
    fn start_error(&self, what: &str) -> HostError {
        let log = self.log_file();
        let reason = match log::last_lines(&log) {
            Some(lines) => format!("{what}\nThe last lines of {}:\n{lines}", log.display()),
            None => what.to_owned(),
        };
        HostError::Start { dir: self.dir.clone(), reason }
    }

    fn write(&self, name: &str, content: &str) -> Result<(), HostError> {
        let path = self.dir.join(name);
        fs::write(&path, content).map_err(HostError::io(format!("write {}", path.display())))
    }

    fn instance_file(&self) -> PathBuf {
        self.dir.join("instance")
    }

    fn pid_file(&self) -> PathBuf {
        self.dir.join("init.pid")
    }

    fn log_file(&self) -> PathBuf {
        self.dir.join("host.log")
    }
}

/// Kills a host and waits until nothing of it is left. An error is what happened.
pub(super) fn kill(init: &InitProcess) -> Result<(), String> {
    init.kill().map_err(|error| format!("cannot kill it: {error}"))?;
    let deadline = Deadline::after(STOP_LIMIT);
    while !init.wait_for_end(deadline.left()) {
        if deadline.passed() {
            return Err(format!(
                "it was killed {} s ago and some process in it is still there, perhaps in a system call \
                 that does not return (`ps -eo pid,stat,wchan:30,args` shows it with state D)",
                STOP_LIMIT.as_secs()
            ));
        }
    }
    Ok(())
}

fn uri_of_socket(socket: &Path) -> String {
    format!("qemu:///system?socket={}", socket.display())
}

fn remove_if_there(file: &Path) -> Result<(), HostError> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(HostError::io(format!("remove {}", file.display()))(error))
        }
        _ => Ok(()),
    }
}

/// The one absolute path by which a host is known, also when the directory is not there (any more).
fn resolve(dir: &Path) -> PathBuf {
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let existing = absolute.ancestors().find_map(|ancestor| {
        let rest = absolute.strip_prefix(ancestor).ok()?;
        Some((fs::canonicalize(ancestor).ok()?, rest))
    });
    match existing {
        Some((ancestor, rest)) if rest.as_os_str().is_empty() => ancestor,
        Some((ancestor, rest)) => ancestor.join(rest),
        None => absolute,
    }
}
