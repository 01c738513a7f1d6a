//! The private host: starting, finding, stopping.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, BufRead, BufReader, PipeReader};
use std::iter::once;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use uuid::Uuid;

use super::census::Census;
use super::doctor::{Status, doctor};
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

/// The lock of who starts or stops the host.
const LOCK: &str = "lock";

/// The lock of a start on its way, which the new processes hold until the first of them can be found. So one that is
/// left on its way by a starter that was killed cannot be overlooked.
const SPAWN_LOCK: &str = "spawn.lock";

/// Where libvirtd listens, seen from inside.
const SOCKET: &str = "run/libvirt/libvirt-sock";

/// Says that the host's mounts are in place, and which instance's they are.
const INSTANCE_MARK: &str = "run/lago-instance";

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
        let _lock = self.lock(LOCK)?;
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
        let _lock = self.dir.is_dir().then(|| self.lock(LOCK)).transpose()?;
        self.kill_all()?;
        for file in [self.instance_file(), self.pid_file()] {
            remove_if_there(&file)?;
        }
        Ok(())
    }

    pub(super) fn is_running(&self) -> bool {
        self.is_around_this_process() || self.running().is_ok()
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

    /// As [`Self::enter`], for a command that stays in the network in which this process is.
    pub(super) fn enter_but_network(&self, command: &mut Command) -> Result<(), HostError> {
        let (init, own_user_namespace) = self.target()?;
        namespaces::enter_but_network(command, init, own_user_namespace);
        Ok(())
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// An unconnected TCP socket in the host's network, for an address of the family of this one.
    pub(super) fn tcp_socket(&self, address: SocketAddr) -> Result<OwnedFd, HostError> {
        let made = if self.is_around_this_process() {
            namespaces::tcp_socket_here(address)
        } else {
            let (init, own_user_namespace) = self.target()?;
            namespaces::tcp_socket(init, own_user_namespace, address)
        };
        made.map_err(|source| HostError::Connect { address, source })
    }

    /// Whether the calling process runs inside this host: then the host's first process is its number one, too.
    pub(super) fn is_around_this_process(&self) -> bool {
        InitProcess::around_this_process().is_some_and(|init| init.dir == self.dir)
    }

    /// The host as it runs, for a process outside.
    pub(super) fn running(&self) -> Result<InitProcess, HostError> {
        let running = self.current().filter(has_its_mounts);
        running.ok_or_else(|| HostError::NotRunning { dir: self.dir.clone() })
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
        let from_file = fs::read_to_string(self.pid_file())
            .ok()
            .and_then(|text| InitProcess::examine(text.trim().parse().ok()?))
            .filter(|init| self.knows(init));
        from_file.or_else(|| InitProcess::all().into_iter().find(|init| self.knows(init)))
    }

    /// Whether this is the instance that was started last in this directory.
    pub(super) fn knows(&self, init: &InitProcess) -> bool {
        init.dir == self.dir
            && fs::read_to_string(self.instance_file()).is_ok_and(|known| known == init.instance)
    }

    /// Kills every host of this directory, older instances and half-started ones included.
    fn kill_all(&self) -> Result<(), HostError> {
        let _settled = self.dir.is_dir().then(|| self.lock(SPAWN_LOCK)).transpose()?;
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

    /// The host's directory is the user's alone. The parts in it are open, because seen from inside they are the
    /// system's: dnsmasq reads its configuration and writes its leases as a user of its own.
    fn make_directories(&self) -> Result<(), HostError> {
        make_directory(&self.dir, 0o700)?;
        ["lib", "cache", "log", "etc"]
            .iter()
            .try_for_each(|part| make_directory(&self.dir.join(part), 0o755))
    }

    /// Takes a lock of the kernel's, which ends with the last process that has the file open.
    pub(super) fn lock(&self, name: &str) -> Result<File, HostError> {
        let path = self.dir.join(name);
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
        command.stdin(self.lock(SPAWN_LOCK)?).stdout(input).stderr(log);
        let launched = command.status();
        // Its copies of the pipe's end and of the lock would keep the reader below and the next start waiting.
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
        self.wait_until(init, deadline, "its mounts", || has_its_mounts(init).then_some(()))?;
        self.wait_until(init, deadline, "libvirtd's socket", || socket.exists().then_some(()))?;
        let uri = uri_of_socket(&socket);
        loop {
            let question = Question::ask(&uri);
            let answer = || question.answer(Duration::ZERO);
            match self.wait_until(init, deadline, "libvirt's answer", answer)? {
                Ok(()) => break,
                // The socket is there before libvirtd listens on it, so a refusal need not be final.
                Err(reason) if deadline.passed() => return Err(self.start_error(&reason)),
                Err(_) => self.pause(init)?,
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
            self.pause(init)?;
            if deadline.passed() {
                let limit = START_LIMIT.as_secs();
                return Err(self.start_error(&format!("waited {limit} s for {what}")));
            }
        }
    }

    /// Lets some time pass, but not when the host has ended: then waiting is of no use.
    fn pause(&self, init: &InitProcess) -> Result<(), HostError> {
        if init.wait_for_end(POLL_INTERVAL) {
            return Err(self.start_error("its first process ended"));
        }
        Ok(())
    }

    /// The error of a start: what happened, the end of the host's log, and what is missing on this machine.
    fn start_error(&self, what: &str) -> HostError {
        let log = self.log_file();
        let quoted = log::last_lines(&log)
            .map(|lines| format!("\nThe last lines of {}:\n{lines}", log.display()));
        let missing = doctor().into_iter().filter(|check| check.status == Status::Missing);
        let missing = missing.map(|check| format!("\nMissing on this machine: {check}"));
        let reason = once(what.to_owned()).chain(quoted).chain(missing).collect();
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

    /// Where libvirt's logs of each QEMU are: `/var/log/libvirt` on the host.
    pub(super) fn qemu_logs(&self) -> PathBuf {
        self.dir.join("log/qemu")
    }
}

/// Whether what is seen in the host is its own. A moment after its start that is still what is around it, where another
/// libvirtd may answer.
fn has_its_mounts(init: &InitProcess) -> bool {
    fs::read_to_string(init.root(INSTANCE_MARK)).is_ok_and(|mark| mark.trim_end() == init.instance)
}

/// Kills a host and waits until nothing of it runs any more. An error is what happened.
pub(super) fn kill(init: &InitProcess) -> Result<(), String> {
    // A number whose process has ended may be anybody's by now, and so would be the namespaces that it tells.
    let census = Census::of(init.pid).filter(|_| !init.wait_for_end(Duration::ZERO));
    init.kill().map_err(|error| format!("cannot kill it: {error}"))?;
    let deadline = Deadline::after(STOP_LIMIT);
    loop {
        // The kernel kills what is in the PID namespace. `unshare` and those who supervise what entered are outside.
        let left = census.as_ref().map(Census::kill).unwrap_or_default();
        if left.is_empty() {
            return Ok(());
        }
        if deadline.passed() {
            return Err(format!(
                "it was killed {} s ago, and these processes in it are still there: {left:?}. \
                 `ps -o pid,stat,wchan:30,args` on them shows those that hang in a system call with state D",
                STOP_LIMIT.as_secs()
            ));
        }
        thread::sleep(POLL_INTERVAL);
    }
}

fn uri_of_socket(socket: &Path) -> String {
    format!("qemu:///system?socket={}", socket.display())
}

fn make_directory(path: &Path, mode: u32) -> Result<(), HostError> {
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        // The mode of a new directory is cut by the umask.
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode)))
        .map_err(HostError::io(format!("make the directory {}", path.display())))
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
