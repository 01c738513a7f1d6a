//! What every command relies on, with both servers.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use lago::cmd;
use lago::guest::{Cmd, GuestError, GuestStatus, Ssh};

use crate::server::{Kind, START_LIMIT, Server};

/// Every check below, on one server.
fn check_all(kind: Kind) {
    let server = Server::start(kind);
    let (ssh, reach) = server.ssh();
    ssh.wait(START_LIMIT).expect("ready");

    arguments_arrive_as_they_are(&ssh);
    streams_are_kept_apart(&ssh);
    statuses_and_signals_are_told(&ssh);
    a_failure_says_what_happened(&ssh);
    environment_and_directory_are_set(&ssh);
    unread_input_does_no_harm(&ssh);

    assert_eq!(reach.connections(), 1, "one session for all of it");
}

#[test]
fn open_ssh() {
    check_all(Kind::OpenSsh);
}

#[test]
fn dropbear() {
    check_all(Kind::Dropbear);
}

fn arguments_arrive_as_they_are(ssh: &Ssh) {
    let words: [&[u8]; 8] = [
        b"",
        b"a b",
        b"it's",
        b"$(id) `id` $HOME",
        b"*",
        b"\xff\n",
        b"-n\n\n",
        "\u{1f980}".as_bytes(),
    ];
    let command = cmd!("printf", "%s\\0").args(words.map(OsStr::from_bytes));
    let output = ssh.run(&command).expect("ran");
    let expected: Vec<u8> =
        words.iter().flat_map(|word| [word, b"\0".as_slice()].concat()).collect();
    assert_eq!(output.stdout_bytes(), expected);
}

fn streams_are_kept_apart(ssh: &Ssh) {
    let command = Cmd::sh("echo out; echo err >&2; cat").stdin("in\n");
    let output = ssh.output(&command).expect("ran");
    assert_eq!((&*output.stdout(), &*output.stderr()), ("out\nin\n", "err\n"));
    let nothing = ssh.output(&cmd!("cat")).expect("ran");
    assert_eq!((nothing.stdout_bytes(), nothing.success()), (b"".as_slice(), true));
}

fn statuses_and_signals_are_told(ssh: &Ssh) {
    for code in [0, 1, 7, 255] {
        let output = ssh.output(&Cmd::sh(format!("exit {code}"))).expect("ran");
        assert_eq!(output.status, GuestStatus::Code(code));
    }
    for name in ["SEGV", "KILL", "TERM"] {
        let output = ssh.output(&Cmd::sh(format!("kill -{name} $$"))).expect("ran");
        assert_eq!(output.status, GuestStatus::Signal(name.to_owned()));
        assert!(!output.success());
    }
    let output = ssh.output(&cmd!("no-such-program")).expect("ran");
    assert_eq!(output.status, GuestStatus::Code(127));
}

fn a_failure_says_what_happened(ssh: &Ssh) {
    let command = Cmd::sh("echo half done; echo no space left >&2; exit 3").stdin("secret");
    let Err(error @ GuestError::CommandFailed(_)) = ssh.run(&command) else {
        panic!("not a failure");
    };
    assert_eq!(
        error.to_string(),
        "guest: `sh -c 'echo half done; echo no space left >&2; exit 3' sh` ended with exit code 3\n  stderr:\n    \
         no space left\n  stdout:\n    half done"
    );
}

fn environment_and_directory_are_set(ssh: &Ssh) {
    let command = Cmd::sh("printf '%s|%s' \"$PWD\" \"$WHO\"").env("WHO", "it's me").cwd("/usr/bin");
    assert_eq!(ssh.run(&command).expect("ran").stdout(), "/usr/bin|it's me");
    let output = ssh.output(&cmd!("true").cwd("/no/such")).expect("ran");
    assert!(!output.success() && output.stderr().contains("/no/such"), "{output:?}");
}

fn unread_input_does_no_harm(ssh: &Ssh) {
    let command = cmd!("head", "-c", "3").stdin(vec![b'x'; 8 << 20]);
    assert_eq!(ssh.run(&command).expect("ran").stdout(), "xxx");
    assert_eq!(ssh.run(&cmd!("echo", "next")).expect("ran").stdout(), "next\n");
}
