//! A machine that exists already: a real ssh server on loopback, in mounts of its own.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use lago::guest::keys::KeyPair;
use rustix::net::Shutdown;

/// The password of root there, and how the machine knows it: `openssl passwd -6 -salt lago secret`.
const PASSWORD: &str = "secret";
const SHADOW: &str = "root:$6$lago$LA1G0UHx4si7BS8dTBzsRQhegsidLlFP52fjcMi3B4MFOghoPY7TM/WJJichPTXwaXM2rXV5vcCxaOVPJ4N8y1\
                      :19000:0:99999:7:::\n";

/// What the ssh server finds instead of what this machine has: no systemd, one service, one password.
const MOUNTS: &str = "set -e
    mount -t tmpfs tmpfs /run
    mkdir /run/sshd
    mount --bind \"$1/init.d\" /etc/init.d
    mount --bind \"$1/shadow\" /etc/shadow
    exec /usr/sbin/sshd -i -e -f \"$1/sshd_config\"";

/// The service, which does nothing but to be there.
pub(crate) const SERVICE: &str = "tally";

/// The server. It takes no more connections once this is dropped.
pub(crate) struct Server {
    listener: Arc<TcpListener>,
    acceptor: Option<JoinHandle<()>>,
    pub(crate) address: SocketAddr,
    pub(crate) host_key: String,
    pub(crate) identity: PathBuf,
}

impl Server {
    pub(crate) fn start(directory: &Path) -> Self {
        fs::create_dir_all(directory.join("init.d")).unwrap();
        let (host, identity) = (directory.join("host"), directory.join("id"));
        let host_key = KeyPair::generate("host").unwrap();
        host_key.write(&host).unwrap();
        KeyPair::generate("user").unwrap().write(&identity).unwrap();
        let config = format!(
            "HostKey {}\nAuthorizedKeysFile {}.pub\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n\
             PasswordAuthentication yes\nKbdInteractiveAuthentication no\nSubsystem sftp internal-sftp\n",
            host.display(),
            identity.display()
        );
        fs::write(directory.join("sshd_config"), config).unwrap();
        fs::write(directory.join("shadow"), SHADOW).unwrap();
        write_service(directory);
        let listener = Arc::new(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let address = listener.local_addr().unwrap();
        let (accepting, directory) = (Arc::clone(&listener), directory.to_owned());
        let acceptor = Some(thread::spawn(move || accept(&accepting, &directory)));
        let host_key = host_key.public_line().unwrap();
        Self { listener, acceptor, address, host_key, identity }
    }

    /// An environment of a VM and this machine, once by a key and once by the password.
    pub(crate) fn init_file(&self, known_by: &str) -> String {
        let port = self.address.port();
        format!(
            "domains:\n  vm0: {{memory: 128, nics: [{{net: lan}}], disks: [{{type: template, template_name: mini}}]}}\n  \
             storage:\n    vm-provider: ssh\n    artifacts: [{}]\n    \
             ssh: {{address: localhost, port: {port}, identity: {}, {known_by}}}\n  \
             vault:\n    vm-provider: ssh\n    \
             ssh: {{address: localhost, port: {port}, password: {PASSWORD}, {known_by}}}\n\
             nets: {{lan: {{type: nat, management: true}}}}\n",
            self.identity.with_file_name("artifact").display(),
            self.identity.display()
        )
    }
}

fn write_service(directory: &Path) {
    let (script, runs) = (directory.join("init.d").join(SERVICE), directory.join("runs"));
    let text = format!(
        "#!/bin/sh\nruns='{}'\ncase $1 in\nstart) touch \"$runs\" ;;\nstop) rm -f \"$runs\" ;;\n\
         status) [ -e \"$runs\" ] || exit 3 ;;\nesac\n",
        runs.display()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Has an ssh server for each connection, as inetd does: so the port is never anybody else's.
fn accept(listener: &TcpListener, directory: &Path) {
    while let Ok((connection, _)) = listener.accept() {
        let log = fs::File::options().create(true).append(true).open(directory.join("log"));
        let connection = OwnedFd::from(connection);
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", MOUNTS, "sh"]).arg(directory);
        command.stdin(connection.try_clone().unwrap()).stdout(connection);
        let mut server = command.stderr(Stdio::from(log.unwrap())).spawn().unwrap();
        drop(command);
        thread::spawn(move || server.wait());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        rustix::net::shutdown(&*self.listener, Shutdown::Both).expect("it listens");
        if let Some(acceptor) = self.acceptor.take() {
            // Its panic has been told.
            let _ = acceptor.join();
        }
    }
}
