//! Networks in hosts, and connections into them.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use lago::host::{Host, HostError};

use crate::fixture::{Fixture, PATIENCE, wait_until};

const NETWORK: &str = "<network><name>lan</name><forward mode='nat'/><bridge name='lagotest0' stp='off' delay='0'/>\
     <ip address='192.168.211.1' netmask='255.255.255.0'><dhcp>\
     <range start='192.168.211.10' end='192.168.211.20'/></dhcp></ip></network>";

pub(crate) fn two_hosts_share_a_subnet() {
    let fixtures = [Fixture::started(), Fixture::started()];
    for fixture in &fixtures {
        fixture.libvirt().create_network_xml(NETWORK).unwrap();
    }
    for fixture in &fixtures {
        let addresses = fixture.say("ip -o -4 address show dev lagotest0");
        assert!(addresses.contains("192.168.211.1/24"), "{addresses}");
        wait_until("dnsmasq runs", || !fixture.say("pidof dnsmasq || true").is_empty());
    }
    assert!(!std::path::Path::new("/sys/class/net/lagotest0").exists());
    let namespaces = fixtures[0].namespaces();
    fixtures[0].host.stop().unwrap();
    fixtures[0].assert_nothing_is_left(&namespaces);
    assert!(!fixtures[1].say("pidof dnsmasq").is_empty());
    // What dnsmasq wrote as another user does not keep this one from removing the directory.
    std::fs::remove_dir_all(fixtures[0].dir()).unwrap();
}

pub(crate) fn a_connection_from_outside() {
    let fixture = Fixture::started();
    let address: SocketAddr = "127.0.0.1:7007".parse().unwrap();
    let refused = fixture.host.connect(address, PATIENCE).unwrap_err();
    assert!(refused.to_string().contains("127.0.0.1:7007"), "{refused}");

    let mut listener =
        fixture.shell("exec busybox nc -ll -p 7007 -e cat").stdin(Stdio::null()).spawn().unwrap();
    wait_until("it listens", || fixture.host.connect(address, PATIENCE).is_ok());
    let mut stream = fixture.host.connect(address, PATIENCE).unwrap();
    stream.write_all(b"over and out").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(io::read_to_string(stream).unwrap(), "over and out");
    listener.kill().unwrap();
    listener.wait().unwrap();
}

pub(crate) fn somebody_inside_reaches_a_listener() {
    let fixture = Fixture::started();
    let address: SocketAddr = "127.0.0.1:7009".parse().unwrap();
    let listener = fixture.host.listen(address).unwrap();
    let mut inside = fixture
        .shell("busybox nc 127.0.0.1 7009")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    listener.accept().unwrap().0.write_all(b"from outside").unwrap();
    assert_eq!(io::read_to_string(inside.stdout.take().unwrap()).unwrap(), "from outside");
    inside.wait().unwrap();

    let taken = fixture.host.listen(address).unwrap_err().to_string();
    assert!(taken.contains("cannot listen at 127.0.0.1:7009 on the host"), "{taken}");
    let foreign = fixture.host.listen("192.0.2.1:7009".parse().unwrap()).unwrap_err();
    assert!(matches!(foreign, HostError::Listen { .. }), "{foreign}");
}

/// The first question to a guest that starts is lost as a rule, and the kernel repeats it late.
pub(crate) fn a_connection_whose_first_packets_are_lost() {
    let fixture = Fixture::started();
    // The set takes one port and is full then, so all that comes from the port of the first socket is dropped.
    fixture.say(
        "nft 'table ip test {
            set first { type inet_service; size 1; flags dynamic; }
            chain input { type filter hook input priority 0; tcp dport 7008 add @first { tcp sport } drop; }
        }'",
    );
    let mut listener =
        fixture.shell("exec busybox nc -ll -p 7008 -e cat").stdin(Stdio::null()).spawn().unwrap();
    wait_until("it listens", || fixture.say("netstat -ltn || ss -ltn").contains(":7008"));
    fixture.host.connect("127.0.0.1:7008".parse().unwrap(), PATIENCE).unwrap();
    let dropped = fixture.say("nft list set ip test first");
    assert!(dropped.contains("elements"), "nothing was dropped: {dropped}");
    listener.kill().unwrap();
    listener.wait().unwrap();
}

pub(crate) fn a_connection_keeps_its_limit() {
    let fixture = Fixture::started();
    // A neighbour that is known and does not exist: packets to it vanish, and no answer ever says so.
    fixture.say(
        "ip link add hole type bridge && ip address add 10.99.0.1/24 dev hole && ip link set hole up && \
         ip neighbour add 10.99.0.2 lladdr 02:00:00:00:00:01 dev hole",
    );
    let limit = Duration::from_millis(300);
    let error = fixture.host.connect("10.99.0.2:22".parse().unwrap(), limit).unwrap_err();
    let HostError::Connect { source, .. } = &error else { panic!("{error:?}") };
    assert_eq!(source.kind(), io::ErrorKind::TimedOut);
    assert_eq!(
        error.to_string(),
        "cannot connect to 10.99.0.2:22 on the host: no answer within 300ms"
    );
}

pub(crate) fn no_connection_to_a_stopped_host() {
    let fixture = Fixture::new();
    let error = fixture.host.connect("127.0.0.1:22".parse().unwrap(), PATIENCE).unwrap_err();
    assert!(matches!(error, HostError::NotRunning { .. }), "{error:?}");
}

pub(crate) fn a_uri_that_does_not_answer() {
    let error = Host::uri("qemu:///system?socket=/nonexistent/socket").start().unwrap_err();
    assert!(matches!(error, HostError::Libvirt { .. }), "{error:?}");
    assert!(error.to_string().contains("/nonexistent/socket"), "{error}");
    Host::uri("test:///default").start().unwrap();
}
