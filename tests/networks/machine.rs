//! What is outside of an environment: a machine on a network, with a web server and a name server. It is a private host
//! of its own, so that nothing in a test reaches beyond this one.

use std::fs;
use std::process::{Child, Command, Stdio};

use lago::Prefix;
use lago::host::Host;
use lago_system_tests::{Environment, Place, lago, run, wait_until};

/// Its addresses, which are for documentation (RFC 5737, RFC 3849).
pub(crate) const ADDRESS: &str = "198.51.100.1";
pub(crate) const ADDRESS6: &str = "2001:db8::1";

/// Where its web server listens.
pub(crate) const PORT: &str = "7080";

/// What its name server says of `somebody.example`; it says of all others below `example` that they do not exist.
pub(crate) const ANYWHERE: &str = "198.51.100.77";

/// The machine, and an environment on it.
pub(crate) struct Machine {
    host: Host,
    servers: Vec<Child>,
    place: Place,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let place = Place::new("networks");
        fs::create_dir_all(place.join("machine")).expect("a directory can be made");
        fs::create_dir_all(place.join("www")).expect("a directory can be made");
        fs::write(place.join("www/index.html"), "outside\n").expect("it writes");
        let host = Host::private(place.join("machine/host"));
        host.start().expect("it starts");
        let mut machine = Self { host, servers: Vec::new(), place };
        let network = "ip link add out0 type veth peer name out1 &&
            ip link set out1 up && ip link set out0 up &&
            ip address add 198.51.100.1/24 dev out0 && ip route add default via 198.51.100.254 &&
            ip address add 2001:db8::1/64 dev out0 nodad && ip route add default via 2001:db8::254 &&
            echo nameserver 198.51.100.1 >/run/resolv.conf &&
            mount --bind /run/resolv.conf /etc/resolv.conf";
        run(&mut machine.inside("sh", &["-c", network])).ok();
        let pages = machine.place.join("www").to_string_lossy().into_owned();
        machine.serve("busybox", &["httpd", "-f", "-p", PORT, "-h", &pages]);
        let knows = [&format!("--address=/somebody.example/{ANYWHERE}"), "--local=/example/"];
        let quiet = ["--keep-in-foreground", "--no-resolv", "--no-hosts", "--pid-file="];
        let here = ["--user=root", "--bind-interfaces", "--listen-address=198.51.100.1"];
        machine.serve("dnsmasq", &[&quiet[..], &here, &knows].concat());
        machine
    }

    /// An environment that runs on the machine.
    pub(crate) fn environment(&self, init_file: &str) -> Environment {
        let path = self.place.join("LagoInitFile.yaml");
        fs::write(&path, init_file).expect("it writes");
        self.lago(&["init", &path.to_string_lossy()]);
        self.lago(&["start"]);
        Prefix::open(self.place.join("prefix")).expect("it opens").into()
    }

    /// A fork of the environment, on the machine too.
    pub(crate) fn fork(&self, snapshot: &str) -> Environment {
        let path = self.place.join("fork");
        self.lago(&["fork", snapshot, &path.to_string_lossy()]);
        Prefix::open(path).expect("it opens").into()
    }

    pub(crate) fn lago(&self, args: &[&str]) {
        let mut command = lago(["--prefix-path".as_ref(), self.place.join("prefix").as_os_str()]);
        self.host.enter(command.args(args)).expect("the host runs");
        run(&mut command).ok();
    }

    fn serve(&mut self, program: &str, args: &[&str]) {
        let mut command = self.inside(program, args);
        self.servers.push(command.stdin(Stdio::null()).spawn().expect("it starts"));
        let ports = || run(&mut self.inside("cat", &["/proc/net/tcp", "/proc/net/tcp6"])).ok();
        let count = self.servers.len();
        // A line for each listener, and two headings.
        wait_until("the server to listen", || ports().lines().count() >= count + 2);
    }

    fn inside(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        self.host.enter(command.args(args)).expect("the host runs");
        command
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Err(error) = self.host.stop() {
            eprintln!("cannot stop the machine: {error}");
        }
        for server in &mut self.servers {
            // The host has taken them with it.
            let _ = server.wait();
        }
    }
}
