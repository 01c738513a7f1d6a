//! Servers that hang, die, lie or refuse.

use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use lago::cmd;
use lago::guest::keys::KeyPair;
use lago::guest::{Cmd, ConnectStep, GuestError, Ssh};
use rustix::net;

use crate::server::{Kind, Loopback, START_LIMIT, Server, after};

/// How much later than its limit a call may return on a busy machine. What hangs in these tests does so for longer.
const SLACK: Duration = Duration::from_secs(120);

/// A limit that is to pass: long enough for a busy machine to come to the point where there is nothing but waiting.
const SHORT: Duration = Duration::from_secs(3);

/// A limit that is not to pass.
const LONG: Duration = Duration::from_secs(600);

/// An address at which nothing answers, and which nobody else gets as long as the socket is there.
fn silent_address() -> (OwnedFd, SocketAddr) {
    let socket = net::socket(net::AddressFamily::INET, net::SocketType::STREAM, None);
    let socket = socket.expect("a socket");
    net::bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a port");
    let address = net::getsockname(&socket).expect("an address");
    (socket, address.try_into().expect("an IP address"))
}

/// Waits until a command in a guest has made this file, and a while longer for what it has printed.
fn await_mark(mark: &Path) {
    let end = Instant::now() + START_LIMIT;
    while !mark.exists() {
        assert!(Instant::now() < end, "{} does not appear", mark.display());
        thread::sleep(Duration::from_millis(20));
    }
    thread::sleep(Duration::from_millis(500));
}

#[test]
fn a_limit_ends_a_hanging_command_and_the_next_one_works() {
    for kind in [Kind::OpenSsh, Kind::Dropbear] {
        let server = Server::start(kind);
        let (ssh, reach) = server.ssh();
        ssh.wait(START_LIMIT).expect("ready");
        let limit = SHORT;
        let command = Cmd::sh("echo so far so good; echo hm >&2; sleep 1000").limit(limit);
        let started = Instant::now();
        let error = ssh.output(&command).expect_err("no end");
        assert!(started.elapsed() >= limit && started.elapsed() < limit + SLACK);
        assert_eq!(
            error.to_string(),
            "guest: `sh -c 'echo so far so good; echo hm >&2; sleep 1000' sh`: not finished after its limit of 3s\n  \
             stderr:\n    hm\n  stdout:\n    so far so good"
        );
        assert_eq!(ssh.run(&cmd!("echo", "next")).expect("ran").stdout(), "next\n");
        assert_eq!(reach.connections(), 2, "the hanging session is given up");
    }
}

#[test]
fn a_limit_holds_for_a_command_that_never_stops_talking() {
    let server = Server::start(Kind::OpenSsh);
    let (ssh, _) = server.ssh();
    ssh.wait(START_LIMIT).expect("ready");
    let started = Instant::now();
    let error = ssh.output(&cmd!("yes").limit(Duration::from_secs(1))).expect_err("no end");
    assert!(matches!(error, GuestError::TimedOut { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(1) + SLACK);
}

#[test]
fn a_vm_that_dies_silently_ends_its_command() {
    let server = Server::start(Kind::OpenSsh);
    let (ssh, reach) = server.ssh();
    ssh.wait(START_LIMIT).expect("ready");
    let mark = server.directory().join("mark");
    let command = Cmd::sh("echo working; touch \"$1\"; sleep 1000").arg(&mark).limit(LONG);
    let dying = thread::spawn(move || {
        await_mark(&mark);
        server.freeze();
        reach.declare_gone("its QEMU process ended with signal 9");
        server
    });
    let error = ssh.run(&command).expect_err("died").to_string();
    let expected = "`: the VM is gone: its QEMU process ended with signal 9\n  \
         stdout:\n    working\n  console:\n    login: \n    [   12.3] Kernel panic - not syncing";
    assert!(error.starts_with("guest: `sh -c 'echo working; "), "{error}");
    assert!(error.ends_with(expected), "{error}");
    drop(dying.join().expect("joined"));
}

#[test]
fn a_server_that_is_killed_under_a_command_is_not_tried_again() {
    let mut server = Server::start(Kind::OpenSsh);
    let (ssh, reach) = server.ssh();
    ssh.wait(START_LIMIT).expect("ready");
    let mark = server.directory().join("mark");
    let command = Cmd::sh("echo working; touch \"$1\"; sleep 1000").arg(&mark);
    let killing = thread::spawn(move || {
        await_mark(&mark);
        server.kill();
        server
    });
    let error = ssh.run(&command).expect_err("broken");
    assert!(matches!(error, GuestError::ConnectionLost { .. }), "{error}");
    assert!(error.to_string().contains("stdout:\n    working"), "{error}");
    assert_eq!(reach.connections(), 1);
    killing.join().expect("joined");
}

#[test]
fn idle_sessions_that_broke_are_replaced() {
    let server = Server::start(Kind::OpenSsh);
    let (ssh, reach) = server.ssh();
    ssh.wait(START_LIMIT).expect("ready");
    // The shell's grandparent or parent is the server's process for this session; one may be the server itself, which in its
    // namespace is the first process and cannot be killed from inside. They die when the command has ended.
    let suicide = Cmd::sh(
        "all=\"$(ps -o ppid= -p $PPID) $PPID\"
        (until [ -e \"$1/go\" ]; do sleep 0.05; done; kill -KILL $all
        for pid in $all; do while [ $pid != 1 ] && kill -0 $pid; do sleep 0.05; done; done; touch \"$1/dead\") >/dev/null 2>&1 &",
    );
    ssh.run(&suicide.arg(server.directory())).expect("ran");
    std::fs::write(server.directory().join("go"), "").expect("written");
    await_mark(&server.directory().join("dead"));
    assert_eq!(ssh.run(&cmd!("echo", "again")).expect("ran").stdout(), "again\n");
    assert_eq!(reach.connections(), 2);
}

#[test]
fn an_idle_session_that_hangs_is_replaced() {
    let frozen = Server::start(Kind::OpenSsh);
    let (ssh, _) = frozen.ssh();
    ssh.wait(START_LIMIT).expect("ready");
    frozen.freeze();
    // The session takes its five seconds, and then the server does not answer a new one either.
    let error = ssh.run(&cmd!("true").limit(Duration::from_secs(8))).expect_err("frozen");
    assert!(
        matches!(error, GuestError::Unreachable { step: ConnectStep::Greeting, .. }),
        "{error}"
    );
}

#[test]
fn another_host_key_is_never_accepted() {
    let server = Server::start(Kind::OpenSsh);
    let other = KeyPair::generate("other").expect("a key");
    let (_, reach) = server.ssh();
    let mut target = server.target();
    target.host_key = other.public().clone().into();
    let ssh = Ssh::new(target, Arc::<Loopback>::clone(&reach));

    for error in [
        ssh.wait(LONG).expect_err("refused: there is no waiting for a better key"),
        ssh.run(&cmd!("true")).expect_err("refused"),
    ] {
        let GuestError::HostKeyMismatch { expected, found, .. } = &error else {
            panic!("{error}");
        };
        let fingerprint = |key: &ssh_key::PublicKey| {
            format!("ssh-ed25519 {}", key.fingerprint(ssh_key::HashAlg::Sha256))
        };
        assert_eq!(*expected, fingerprint(other.public()));
        assert_eq!(*found, fingerprint(&server.host_key));
    }
}

#[test]
fn a_key_that_the_guest_does_not_know_is_named() {
    let server = Server::start(Kind::OpenSsh);
    let mut target = server.target();
    target.identity = server.directory().join("stranger");
    KeyPair::generate("stranger").expect("a key").write(&target.identity).expect("written");
    let identity = target.identity.clone();
    let ssh = Ssh::new(target, Arc::new(Loopback::default()));

    let started = Instant::now();
    let error = ssh.run(&cmd!("true")).expect_err("refused");
    let took = started.elapsed();
    assert!(matches!(error, GuestError::Authentication { .. }), "{error}");
    assert!(error.to_string().contains(&identity.display().to_string()), "{error}");

    // During a boot the key may come later than the server. One try has to come to its end, also on a busy machine.
    let error = ssh.wait(Duration::from_secs(1) + 5 * took).expect_err("refused");
    let GuestError::NotReady { last, .. } = error else { panic!("{error}") };
    assert!(matches!(*last, GuestError::Authentication { .. }), "{last}");
}

#[test]
fn a_try_that_the_limit_cuts_off_does_not_hide_how_the_last_one_failed() {
    let server = Server::start(Kind::OpenSsh);
    let mut target = server.target();
    target.identity = server.directory().join("stranger");
    KeyPair::generate("stranger").expect("a key").write(&target.identity).expect("written");
    let started = Instant::now();
    Ssh::new(target.clone(), Arc::new(Loopback::default())).run(&cmd!("true")).expect_err("no");
    let took = started.elapsed();

    // The first connection gets through, and nobody says a word on the others.
    let (listener, address) = (TcpListener::bind("127.0.0.1:0").expect("a port"), server.address);
    target.address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        let (near, _) = listener.accept().expect("a connection");
        relay(&near, &TcpStream::connect(address).expect("the server"));
        let silent: Vec<_> = listener.incoming().collect();
        drop(silent);
    });
    let ssh = Ssh::new(target, Arc::new(Loopback::default()));
    let error = ssh.wait(Duration::from_secs(1) + 5 * took).expect_err("refused");
    let text = error.to_string();
    let GuestError::NotReady { last, .. } = error else { panic!("{error}") };
    assert!(matches!(*last, GuestError::Authentication { .. }), "{last}");
    let (_, cut_off) = text.split_once("; the limit cut off another one: ").expect(&text);
    assert!(cut_off.contains("waiting for the ssh server's greeting"), "{text}");
}

/// Carries bytes both ways until both sides have nothing more to say.
fn relay(near: &TcpStream, far: &TcpStream) {
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = std::io::copy(&mut &*near, &mut &*far);
            let _ = far.shutdown(Shutdown::Both);
        });
        let _ = std::io::copy(&mut &*far, &mut &*near);
        let _ = near.shutdown(Shutdown::Both);
    });
}

#[test]
fn an_unusable_key_of_ours_ends_the_wait_at_once() {
    let server = Server::start(Kind::OpenSsh);
    let mut target = server.target();
    target.identity = server.directory().join("absent");
    let ssh = Ssh::new(target, Arc::new(Loopback::default()));
    let error = ssh.wait(LONG).expect_err("no key");
    assert!(matches!(error, GuestError::Key { .. }), "{error}");
}

#[test]
fn waiting_says_how_far_it_came() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let server = Server::start(Kind::OpenSsh);
    let mut target = server.target();
    target.address = listener.local_addr().expect("an address");

    // Something listens and never says a word.
    let ssh = Ssh::new(target.clone(), Arc::new(Loopback::default()));
    let error = ssh.wait(Duration::from_secs(1)).expect_err("silent").to_string();
    assert!(error.contains("does not answer after 1s"), "{error}");
    assert!(error.contains("waiting for the ssh server's greeting"), "{error}");
    assert!(error.contains("console:\n    login: \n    [   12.3] Kernel panic"), "{error}");

    // Nothing listens.
    let (_silent, address) = silent_address();
    target.address = address;
    let ssh = Ssh::new(target, Arc::new(Loopback::default()));
    let error = ssh.wait(Duration::from_secs(1)).expect_err("refused").to_string();
    assert!(error.contains("connecting by TCP: Connection refused"), "{error}");
}

#[test]
fn waiting_ends_when_the_vm_is_gone() {
    let server = Server::start(Kind::OpenSsh);
    let (_, reach) = server.ssh();
    let mut target = server.target();
    let (_silent, address) = silent_address();
    target.address = address;
    let ssh = Ssh::new(target, Arc::<Loopback>::clone(&reach));
    let dying = after(Duration::from_millis(700), move || reach.declare_gone("it was destroyed"));
    let error = ssh.wait(LONG).expect_err("gone");
    assert!(matches!(error, GuestError::VmGone { .. }), "{error}");
    assert!(error.to_string().contains("it was destroyed\n  console:"), "{error}");
    dying.join().expect("joined");
}

#[test]
fn waiting_outlasts_a_slow_boot() {
    let server = Server::start(Kind::OpenSsh);
    let address = server.address;
    let (_, reach) = server.ssh();
    let mut target = server.target();
    let (silent, listen_at) = silent_address();
    target.address = listen_at;
    let ssh = Ssh::new(target, Arc::<Loopback>::clone(&reach));
    let booting = after(Duration::from_secs(1), move || {
        net::listen(&silent, 8).expect("it listens");
        let listener = TcpListener::from(silent);
        let (near, _) = listener.accept().expect("a connection");
        relay(&near, &TcpStream::connect(address).expect("the server"));
    });
    ssh.wait(Duration::from_secs(60)).expect("ready at last");
    assert!(reach.connections() > 1);
    ssh.forget_sessions();
    booting.join().expect("joined");
}

#[test]
fn sessions_can_be_forgotten() {
    let server = Server::start(Kind::OpenSsh);
    let (ssh, reach) = server.ssh();
    ssh.run(&cmd!("true")).expect("ran");
    ssh.forget_sessions();
    ssh.run(&cmd!("true")).expect("ran");
    assert_eq!(reach.connections(), 2);
}
