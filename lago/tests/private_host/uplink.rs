//! The way out of a host. What is outside is another host, which this program makes look like a machine on a network.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::thread;

use lago::host::{Host, HostError};

use crate::fixture::{Fixture, PATIENCE, printed, wait_until, with_argument};

/// With this variable the program is no test: it is on the machine outside, and starts the host in the directory that the
/// variable names.
pub(crate) const DIRECTORY_VARIABLE: &str = "LAGO_TEST_UPLINK";

/// The machine's address on its network, which is for documentation (RFC 5737).
const MACHINE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);

/// What the machine's name server says of every name.
const ANYWHERE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 77);

pub(crate) fn guests_get_out_and_nobody_gets_in() {
    let machine = Fixture::started();
    machine.say(
        "ip link add out0 type veth peer name out1 && ip link set out1 up && ip link set out0 up && \
         ip address add 198.51.100.1/24 dev out0 && ip route add default via 198.51.100.254 && \
         echo nameserver 198.51.100.1 >/run/resolv.conf && mount --bind /run/resolv.conf /etc/resolv.conf",
    );
    let directory = tempfile::tempdir().unwrap();
    let mut inside = Command::new(std::env::current_exe().unwrap());
    inside.env(DIRECTORY_VARIABLE, directory.path().join("host"));
    machine.host.enter(&mut inside).unwrap();
    printed(&inside.output().unwrap());
}

pub(crate) fn is_tried_on_the_machine(directory: &Path) {
    let host = Host::private(directory);
    let error = host.start_uplink().unwrap_err();
    assert!(matches!(error, HostError::NotRunning { .. }), "{error}");
    host.start().unwrap();
    if let Err(error) = File::options().read(true).write(true).open("/dev/net/tun") {
        let said = host.start_uplink().unwrap_err().to_string();
        host.stop().unwrap();
        assert!(said.contains(&error.to_string()) && said.contains("sudo chmod 0666"), "{said}");
        return;
    }
    let (outside, loopback) = (echo(MACHINE), echo(Ipv4Addr::LOCALHOST));
    assert!(host.connect(outside, PATIENCE).is_err(), "there is a way out already");
    host.start_uplink().unwrap();
    host.start_uplink().unwrap();
    assert_eq!(with_argument("--ns-ifname").len(), 1, "there is one pasta, started once");

    assert_eq!(said_to(&host, outside).unwrap(), "over and out");
    let gateway = SocketAddr::from((Ipv4Addr::new(169, 254, 88, 1), loopback.port()));
    assert!(said_to(&host, gateway).is_err(), "the machine's loopback interface is reached");
    names_are_asked_for_outside(&host);
    nothing_comes_in(&host);

    host.stop().unwrap();
    wait_until("pasta has ended", || with_argument("--ns-ifname").is_empty());
}

/// Sends back what comes, once all of it has.
fn echo(address: Ipv4Addr) -> SocketAddr {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut buffer = [0; 64];
            let count = stream.read(&mut buffer).unwrap();
            stream.write_all(&buffer[..count]).unwrap();
        }
    });
    address
}

/// What comes back from there, through the host.
fn said_to(host: &Host, address: SocketAddr) -> io::Result<String> {
    let limit = std::time::Duration::from_secs(3);
    let mut stream = host.connect(address, limit).map_err(io::Error::other)?;
    stream.set_read_timeout(Some(limit))?;
    stream.write_all(b"over and out")?;
    let mut buffer = [0; 64];
    let count = stream.read(&mut buffer)?;
    stream.shutdown(Shutdown::Both)?;
    if count == 0 {
        return Err(io::ErrorKind::ConnectionReset.into());
    }
    Ok(String::from_utf8_lossy(&buffer[..count]).into_owned())
}

fn names_are_asked_for_outside(host: &Host) {
    let server = UdpSocket::bind((MACHINE, 53)).unwrap();
    thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((count, from)) = server.recv_from(&mut query) {
            server.send_to(&answer(&query[..count]), from).unwrap();
        }
    });
    let mut lookup = Command::new("busybox");
    host.enter(lookup.args(["nslookup", "-type=a", "somebody.example", "169.254.88.1"])).unwrap();
    let answer = printed(&lookup.output().unwrap());
    assert!(answer.contains(&format!("Address: {ANYWHERE}")), "{answer}");
}

/// An answer with one address (RFC 1035, 4.1).
fn answer(query: &[u8]) -> Vec<u8> {
    const HEADER: usize = 12;
    const RECURSIVE_ANSWER: [u8; 2] = [0x81, 0x80];
    let name = query[HEADER..].iter().position(|byte| *byte == 0).unwrap();
    let question = &query[HEADER..HEADER + name + 5];
    let one_each = [0, 1, 0, 1, 0, 0, 0, 0];
    let name_type_class_time_length = [0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4];
    [
        &query[..2],
        &RECURSIVE_ANSWER,
        &one_each,
        question,
        &name_type_class_time_length,
        &ANYWHERE.octets(),
    ]
    .concat()
}

/// No port of the host is one of the machine's.
fn nothing_comes_in(host: &Host) {
    let mut listener = Command::new("busybox");
    host.enter(listener.args(["nc", "-ll", "-p", "7007", "-e", "cat"])).unwrap();
    let mut listener = listener.stdin(std::process::Stdio::null()).spawn().unwrap();
    wait_until("it listens", || host.connect("127.0.0.1:7007".parse().unwrap(), PATIENCE).is_ok());
    for address in [MACHINE, Ipv4Addr::LOCALHOST] {
        assert!(std::net::TcpStream::connect((address, 7007)).is_err(), "{address}");
    }
    listener.kill().unwrap();
    listener.wait().unwrap();
}
