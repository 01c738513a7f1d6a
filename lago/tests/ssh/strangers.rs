//! Guests that were given neither their host key nor ours.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::process::Command;
use std::sync::Arc;

use lago::cmd;
use lago::guest::keys::KeyPair;
use lago::guest::{GuestError, HostKey, Ssh, SshTarget};

use crate::server::{Kind, Loopback, START_LIMIT, Server};

fn stranger(server: &Server) -> SshTarget {
    let learned = server.directory().join("learned/guest.pub");
    SshTarget { host_key: HostKey::Learned(learned), ..server.target() }
}

fn ssh(target: SshTarget) -> Ssh {
    Ssh::new(target, Arc::new(Loopback::default()))
}

#[test]
fn a_guest_is_known_by_the_key_that_it_showed_first() {
    for kind in [Kind::OpenSsh, Kind::Dropbear] {
        let server = Server::start(kind);
        let target = stranger(&server);
        let HostKey::Learned(learned) = target.host_key.clone() else { unreachable!() };
        ssh(target.clone()).wait(START_LIMIT).expect("let in");
        let kept = lago::guest::keys::load_public(&learned).expect("it is kept");
        assert_eq!(kept.key_data(), server.host_key.key_data());
        ssh(target.clone()).run(&cmd!("true")).expect("let in again");

        let other = KeyPair::generate("other").expect("a key").public_line().expect("a line");
        fs::write(&learned, other).expect("it writes");
        let error = ssh(target).run(&cmd!("true")).expect_err("refused");
        assert!(matches!(error, GuestError::HostKeyMismatch { .. }), "{error}");
        assert!(error.to_string().contains(&learned.display().to_string()), "{error}");
    }
}

/// As `ssh-keygen` made them for years, and as they are in images.
#[test]
fn a_key_in_the_older_format_lets_in() {
    let server = Server::start(Kind::OpenSsh);
    let identity = server.directory().join("rsa");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-f"])
        .arg(&identity)
        .status();
    assert!(made.expect("ssh-keygen runs").success());
    let public = fs::read(server.directory().join("rsa.pub")).expect("it is there");
    let mut authorized =
        OpenOptions::new().append(true).open(server.directory().join("id.pub")).expect("it opens");
    authorized.write_all(&public).expect("it writes");
    let target = SshTarget { identity, ..stranger(&server) };
    assert_eq!(ssh(target).run(&cmd!("echo", "in")).expect("let in").stdout(), "in\n");
}
