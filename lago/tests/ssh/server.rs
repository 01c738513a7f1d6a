//! A real ssh server of the test's own, and a way to it that counts connections and can say that the VM is gone.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use lago::guest::keys::{self, KeyPair};
use lago::guest::{Reach, Ssh, SshTarget};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long a server on this machine may take to start, with all tests starting theirs at once.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(60);

/// Which program serves.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    OpenSsh,
    /// OpenSSH, with an sftp server that is a process of its own.
    OpenSshWithSftpServer,
    /// OpenSSH, with no sftp server.
    WithoutSftp,
    Dropbear,
}

/// A running server. It and the commands under it end when this is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) identity: PathBuf,
    pub(crate) host_key: ssh_key::PublicKey,
    child: Child,
    directory: TempDir,
}

impl Server {
    pub(crate) fn start(kind: Kind) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path();
        let identity = path.join("id");
        let pair = KeyPair::generate("lago").expect("a key");
        pair.write(&identity).expect("a key file");
        let host = path.join("host");
        KeyPair::generate("host").expect("a key").write(&host).expect("a key file");
        let host_key = keys::load_public(&keys::public_path(&host)).expect("a public key");

        let start = |address| match kind {
            Kind::OpenSsh => open_ssh(path, &host, address, "Subsystem sftp internal-sftp"),
            Kind::OpenSshWithSftpServer => {
                open_ssh(path, &host, address, "Subsystem sftp /usr/lib/openssh/sftp-server")
            }
            Kind::WithoutSftp => open_ssh(path, &host, address, ""),
            Kind::Dropbear => dropbear(path, &host, &pair, address),
        };
        let listening = |address| Some((address, listening(start(address), path)?));
        let (address, child) = (0..TRIES).find_map(|_| listening(free_address())).expect("a port");
        Self { address, identity, host_key, child, directory }
    }

    pub(crate) fn target(&self) -> SshTarget {
        SshTarget {
            vm: "guest".to_owned(),
            address: self.address,
            user: user(),
            identity: self.identity.clone(),
            host_key: self.host_key.clone().into(),
            password: None,
        }
    }

    pub(crate) fn ssh(&self) -> (Ssh, Arc<Loopback>) {
        let reach = Arc::new(Loopback::default());
        (Ssh::new(self.target(), Arc::<Loopback>::clone(&reach)), reach)
    }

    /// A directory that goes with the server.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Kills the server and everything that it started, as a VM's death would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("reaped");
    }

    /// Stops everything that serves, so that nothing is answered any more and no connection breaks.
    pub(crate) fn freeze(&self) {
        for pid in descendants(self.child.id()) {
            let pid = Pid::from_raw(pid.try_into().expect("a pid")).expect("a pid");
            kill_process(pid, Signal::STOP).expect("stopped");
        }
    }

    /// Kills the sftp servers that run, and returns how many there were.
    pub(crate) fn kill_sftp_servers(&self) -> usize {
        let is_sftp_server = |pid: &u32| {
            fs::read_to_string(format!("/proc/{pid}/comm"))
                .is_ok_and(|name| name == "sftp-server\n")
        };
        let found: Vec<_> =
            descendants(self.child.id()).into_iter().filter(is_sftp_server).collect();
        for pid in &found {
            let pid = Pid::from_raw((*pid).try_into().expect("a pid")).expect("a pid");
            kill_process(pid, Signal::KILL).expect("killed");
        }
        found.len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How often a port that was free a moment ago may be somebody else's.
const TRIES: u32 = 20;

/// Waits until the server listens. None if somebody else has its port.
fn listening(mut child: Child, directory: &Path) -> Option<Child> {
    let end = Instant::now() + START_LIMIT;
    loop {
        let ended = child.try_wait().expect("a child").is_some();
        let log = fs::read_to_string(directory.join(LOG)).expect("a log");
        if ended {
            assert!(log.contains("Address already in use"), "{log}");
            return None;
        }
        if LISTENING.iter().any(|words| log.contains(words)) {
            return Some(child);
        }
        assert!(Instant::now() < end, "the server does not start: {log}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The log of whichever server, beside its keys.
const LOG: &str = "log";

/// What the servers log once they listen: OpenSSH, dropbear.
const LISTENING: [&str; 2] = ["Server listening on", "Not backgrounding"];

fn open_ssh(path: &Path, host: &Path, address: SocketAddr, subsystem: &str) -> Child {
    let authorized = keys::public_path(&path.join("id"));
    let config = format!(
        "ListenAddress {address}\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPidFile none\n\
         PermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nMaxStartups 100\n\
         RekeyLimit 8M\n{subsystem}\n",
        host.display(),
        authorized.display()
    );
    let config_path = path.join("sshd_config");
    fs::write(&config_path, config).expect("a configuration");
    let arguments: [&OsStr; 5] = [
        "/usr/sbin/sshd".as_ref(),
        "-D".as_ref(),
        "-e".as_ref(),
        "-f".as_ref(),
        config_path.as_ref(),
    ];
    // sshd of root insists on this directory, which a boot script makes where there is one.
    let prepare = "if [ \"$(id -u)\" = 0 ]; then mount -t tmpfs tmpfs /run && mkdir /run/sshd; fi";
    serve(prepare, path, &arguments)
}

fn dropbear(path: &Path, host: &Path, user: &KeyPair, address: SocketAddr) -> Child {
    let converted = path.join("host.dropbear");
    let done = Command::new("dropbearconvert")
        .args(["openssh", "dropbear"])
        .args([host, &converted])
        .output()
        .expect("dropbearconvert");
    assert!(done.status.success(), "{done:?}");
    let home = path.join("home");
    fs::create_dir_all(home.join(".ssh")).expect("a home");
    fs::write(home.join(".ssh/authorized_keys"), user.public_line().expect("a line") + "\n")
        .expect("authorized keys");
    let address = address.to_string();
    let arguments: [&OsStr; 7] = [
        "dropbear".as_ref(),
        "-F".as_ref(),
        "-E".as_ref(),
        "-r".as_ref(),
        converted.as_ref(),
        "-p".as_ref(),
        address.as_ref(),
    ];
    // Dropbear looks for authorized keys in the user's home and nowhere else.
    let prepare = "mount --bind \"$0/home\" \"$(getent passwd \"$(id -u)\" | cut -d: -f6)\"";
    serve(prepare, path, &arguments)
}

/// Starts a server in a mount and a PID namespace of its own, so that it neither needs nor leaves anything in the
/// system, and everything under it ends when it is killed.
fn serve(prepare: &str, path: &Path, arguments: &[&OsStr]) -> Child {
    let log = File::create(path.join(LOG)).expect("a log");
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--map-current-user", "--keep-caps"]);
    }
    command
        .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c"])
        .arg(format!("{prepare} && exec \"$@\""))
        .arg(path)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a log"))
        .stderr(log)
        .spawn()
        .expect("unshare")
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("an address")
}

fn user() -> String {
    let output = Command::new("id").arg("-un").output().expect("id");
    String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
}

fn descendants(pid: u32) -> Vec<u32> {
    let children =
        fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let direct = children.split_whitespace().map(|child| child.parse().expect("a pid"));
    direct.flat_map(|child| std::iter::once(child).chain(descendants(child))).collect()
}

/// The way to a server on the loopback.
#[derive(Default)]
pub(crate) struct Loopback {
    connections: AtomicUsize,
    gone: Mutex<Option<String>>,
}

impl Loopback {
    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// From now on the VM is gone.
    pub(crate) fn declare_gone(&self, reason: &str) {
        *self.gone.lock().expect("unpoisoned") = Some(reason.to_owned());
    }
}

impl Reach for Loopback {
    fn connect(&self, address: SocketAddr, limit: Duration) -> io::Result<TcpStream> {
        self.connections.fetch_add(1, Ordering::SeqCst);
        TcpStream::connect_timeout(&address, limit)
    }

    fn gone(&self) -> Option<String> {
        self.gone.lock().expect("unpoisoned").clone()
    }

    fn console_tail(&self) -> String {
        "login: \n[   12.3] Kernel panic - not syncing".to_owned()
    }
}

/// A thing that happens after a while.
pub(crate) fn after<T: Send + 'static>(
    delay: Duration,
    action: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    thread::spawn(move || {
        thread::sleep(delay);
        action()
    })
}
