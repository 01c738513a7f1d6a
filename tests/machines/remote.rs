//! Machines that lago only reaches over ssh, beside a VM.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use lago::guest::keys::KeyPair;
use lago::utils::error_chain;
use lago::virt::VmState;
use lago::{Prefix, cmd};
use lago_system_tests::{Environment, Place, in_guest, lago, run, wait_until};

/// A real ssh server on loopback. It ends when this is dropped.
struct Server {
    child: Child,
    address: SocketAddr,
    host_key: String,
    identity: PathBuf,
    user: String,
}

/// How often a port that was free a moment ago may be somebody else's.
const TRIES: u32 = 20;

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}

/// Starts the server, unless somebody else has its port.
fn sshd(directory: &Path, address: SocketAddr) -> Option<(Child, SocketAddr)> {
    let (host, identity) = (directory.join("host"), directory.join("id"));
    let config = format!(
        "ListenAddress {address}\nHostKey {}\nAuthorizedKeysFile {}.pub\nStrictModes no\nUsePAM no\nPidFile none\n\
         PermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nSubsystem sftp internal-sftp\n",
        host.display(),
        identity.display()
    );
    let config_path = directory.join("sshd_config");
    fs::write(&config_path, config).unwrap();
    // sshd of root insists on this directory, which a boot script makes where there is one.
    let script = "if [ \"$(id -u)\" = 0 ]; then mount -t tmpfs tmpfs /run && mkdir /run/sshd; fi; exec \"$@\"";
    let log = directory.join("log");
    let mut child = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh", "/usr/sbin/sshd", "-D", "-e", "-f"])
        .arg(&config_path)
        .stderr(fs::File::create(&log).unwrap())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let (mut said, mut ended) = (String::new(), false);
    wait_until("the ssh server", || {
        ended = child.try_wait().unwrap().is_some();
        said = fs::read_to_string(&log).unwrap();
        ended || said.contains("Server listening on")
    });
    assert!(!ended || said.contains("Address already in use"), "{said}");
    (!ended).then_some((child, address))
}

impl Server {
    fn start(directory: &Path) -> Self {
        fs::create_dir_all(directory).unwrap();
        let (host, identity) = (directory.join("host"), directory.join("id"));
        let host_key = KeyPair::generate("host").unwrap();
        host_key.write(&host).unwrap();
        KeyPair::generate("user").unwrap().write(&identity).unwrap();
        let (child, address) = (0..TRIES)
            .find_map(|_| sshd(directory, free_address()))
            .expect("somebody else takes every port that is free");
        let user = run(Command::new("id").arg("-un")).ok().trim().to_owned();
        Self { child, address, host_key: host_key.public_line().unwrap(), identity, user }
    }

    /// An environment of a VM and this machine.
    fn init_file(&self, known_by: &str) -> String {
        format!(
            "domains:\n  vm0: {{memory: 128, nics: [{{net: lan}}], disks: [{{type: template, template_name: mini}}]}}\n  \
             storage:\n    vm-provider: ssh\n    ssh-user: {}\n    artifacts: [{}]\n    \
             ssh: {{address: localhost, port: {}, identity: {}, {known_by}}}\n\
             nets: {{lan: {{type: nat, management: true}}}}\n",
            self.user,
            self.identity.with_file_name("artifact").display(),
            self.address.port(),
            self.identity.display()
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_machine_that_exists_is_part_of_the_environment() {
    let place = Place::new("machines-remote");
    let server = Server::start(&place.join("server"));
    let artifact = server.identity.with_file_name("artifact");
    fs::write(&artifact, "evidence").unwrap();
    let known_by = format!("host-key: \"{}\"", server.host_key);
    let prefix = Environment::from_text(&place.join("prefix"), &server.init_file(&known_by));
    prefix.start().unwrap();
    let storage = prefix.vm("storage").unwrap();
    assert!(storage.is_remote() && storage.ip().is_loopback());
    assert_eq!(storage.state().unwrap(), VmState::Running);
    assert_eq!(storage.run(cmd!("echo", "it's here")).unwrap().stdout(), "it's here\n");
    let (from, to) = (place.join("from"), place.join("to"));
    fs::write(&from, "copied").unwrap();
    storage.copy_to(&from, &to).unwrap();
    assert_eq!(fs::read_to_string(&to).unwrap(), "copied");

    stays_what_it_is(&prefix, &to);
    commands_know_it(&prefix, &place);
    for error in [storage.pause().unwrap_err(), storage.crash().unwrap_err()] {
        assert!(error.to_string().contains("only reaches over ssh"), "{error}");
    }
    prefix.stop().unwrap();
    assert_eq!(storage.state().unwrap(), VmState::Running);
    drop(server);
    assert_eq!(prefix.vm("storage").unwrap().state().unwrap(), VmState::Down);
}

/// Snapshots and reverts are about the VM, and say so.
fn stays_what_it_is(prefix: &Environment, changed: &Path) {
    let snapshot = prefix.snapshot("clean").unwrap();
    assert_eq!(snapshot.outside, ["storage"]);
    assert!(snapshot.vms.contains_key("vm0") && !snapshot.vms.contains_key("storage"));
    in_guest(prefix, "vm0", "echo later > /root/later");
    in_guest(prefix, "storage", &format!("echo later > {}", changed.display()));
    prefix.revert("clean").unwrap();
    assert_eq!(in_guest(prefix, "vm0", "cat /root/later 2>/dev/null || echo none"), "none\n");
    assert_eq!(fs::read_to_string(changed).unwrap(), "later\n");
    let file = prefix.paths().prefix().with_file_name("x.lago-capsule");
    prefix.save_capsule(&file, &lago::capsule::SaveOptions::default()).unwrap();
    let manifest = lago::capsule::manifest(&file).unwrap();
    assert!(!manifest.record.init_file.domains.contains_key("storage"));
}

fn commands_know_it(prefix: &Prefix, place: &Place) {
    let path = prefix.paths().prefix().to_string_lossy().into_owned();
    let lago =
        |args: &[&str]| run(&mut lago(["-p", &path].into_iter().chain(args.iter().copied())));
    let status = lago(&["-f", "json", "status"]).ok();
    assert!(status.contains("\"storage\""), "{status}");
    assert_eq!(lago(&["shell", "storage", "-c", "echo $((6 * 7))"]).ok(), "42\n");
    let config = place.join("ssh_config");
    fs::write(&config, lago(&["ssh-config", "storage"]).ok()).unwrap();
    let ssh = run(Command::new("ssh").arg("-F").arg(&config).args(["storage", "echo", "by ssh"]));
    assert_eq!(ssh.ok(), "by ssh\n");
    let evidence = place.join("evidence").to_string_lossy().into_owned();
    lago(&["collect", "--output", &evidence]).ok();
    let artifact = place.join("server/artifact");
    let collected =
        place.join("evidence/storage/artifacts").join(artifact.strip_prefix("/").unwrap());
    assert_eq!(fs::read_to_string(collected).unwrap(), "evidence");
}

#[test]
fn a_machine_is_known_by_its_host_key_alone() {
    let place = Place::new("machines-host-key");
    let server = Server::start(&place.join("server"));
    let init = |known_by: &str| {
        let text = server.init_file(known_by);
        let file = lago::InitFile::parse(&text, Path::new("LagoInitFile.yaml")).unwrap();
        Environment::of(&place.join("prefix"), file)
    };
    let known_hosts = place.join("known_hosts");
    fs::write(&known_hosts, "").unwrap();
    let in_file = format!("known-hosts: {}", known_hosts.display());
    let error = error_chain(&init(&in_file).unwrap_err());
    assert!(
        error.contains("no host key of localhost") && !place.join("prefix").exists(),
        "{error}"
    );

    let other = KeyPair::generate("other").unwrap().public_line().unwrap();
    let prefix = init(&format!("host-key: \"{other}\"")).unwrap();
    let error = prefix.vm("storage").unwrap().run(cmd!("true")).unwrap_err().to_string();
    assert!(error.contains("another host key"), "{error}");
    drop(prefix);

    fs::write(&known_hosts, format!("[localhost]:{} {}\n", server.address.port(), server.host_key))
        .unwrap();
    run(Command::new("ssh-keygen").args(["-q", "-H", "-f"]).arg(&known_hosts)).ok();
    let prefix = init(&in_file).unwrap();
    prefix.vm("storage").unwrap().run(cmd!("true")).unwrap();
}
