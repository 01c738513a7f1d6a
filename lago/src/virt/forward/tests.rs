use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use super::*;

/// How long anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that sends back what it gets until there is no more, in place of a guest's.
fn echo_server() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || {
                let mut stream = stream.unwrap();
                let _ = io::copy(&mut stream.try_clone().unwrap(), &mut stream);
                let _ = stream.shutdown(std::net::Shutdown::Write);
            });
        }
    });
    address
}

fn forward_to(target: SocketAddr) -> Forward {
    let dial = move || TcpStream::connect_timeout(&target, PATIENCE);
    Forward::listen(0, target, Arc::new(dial)).unwrap()
}

fn connect(forward: &Forward) -> TcpStream {
    let stream = TcpStream::connect(forward.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn ask(forward: &Forward, question: &[u8]) -> Vec<u8> {
    let mut stream = connect(forward);
    let mut writer = stream.try_clone().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            writer.write_all(question).unwrap();
            writer.shutdown(std::net::Shutdown::Write).unwrap();
        });
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    })
}

#[test]
fn many_connections_carry_much_and_end_on_each_side_by_itself() {
    let forward = forward_to(echo_server());
    assert!(forward.address().ip().is_loopback());
    thread::scope(|scope| {
        for number in 0..20_u8 {
            let forward = &forward;
            scope.spawn(move || {
                let question = vec![number; 1_000_000];
                assert!(ask(forward, &question) == question, "connection {number}");
            });
        }
    });
}

#[test]
fn a_dropped_forward_closes_its_port_and_its_connections() {
    let forward = forward_to(echo_server());
    let address = forward.address();
    let mut open = connect(&forward);
    open.write_all(b"x").unwrap();
    open.read_exact(&mut [0]).unwrap();
    drop(forward);
    let end = open.read(&mut [0]);
    assert!(matches!(end, Ok(0)) || end.is_err(), "{end:?}");
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_guest_that_refuses_costs_one_connection_and_not_the_port() {
    // A port that is given to nobody who asks for any.
    let nobody = (Ipv4Addr::LOCALHOST, 1).into();
    let forward = forward_to(nobody);
    for _ in 0..3 {
        let answer = connect(&forward).read(&mut [0]);
        assert!(matches!(answer, Ok(0)) || answer.is_err(), "{answer:?}");
    }
    // Connections are forgotten when they have ended.
    let start = Instant::now();
    while forward.relays.count() > 0 {
        assert!(start.elapsed() < PATIENCE, "{} are left", forward.relays.count());
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_port_that_is_taken_is_an_error() {
    let forward = forward_to(echo_server());
    let target = forward.target();
    let again =
        Forward::listen(forward.port(), target, Arc::new(move || TcpStream::connect(target)));
    assert_eq!(again.unwrap_err().kind(), io::ErrorKind::AddrInUse);
}
