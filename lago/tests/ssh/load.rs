//! Much data, and many commands at once.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::thread;
use std::time::Duration;

use lago::cmd;
use lago::guest::{Cmd, Ssh, Streams};
use sha2::{Digest as _, Sha256};

use crate::server::{Kind, START_LIMIT, Server};

const MIB: usize = 1 << 20;

/// Bytes that repeat late enough to notice a lost or doubled packet.
fn pattern(count: usize) -> Vec<u8> {
    (0..count.div_ceil(4))
        .flat_map(|word| u32::try_from(word).expect("small").to_le_bytes())
        .take(count)
        .collect()
}

fn ready(server: &Server) -> Ssh {
    let (ssh, _) = server.ssh();
    ssh.wait(START_LIMIT).expect("ready");
    ssh
}

/// Everything that comes in goes out on both streams, at the same time.
fn echo_on_both(kind: Kind, mib: usize) {
    let server = Server::start(kind);
    let input = pattern(mib * MIB);
    let command =
        Cmd::sh("exec tee /dev/stderr").stdin(input.clone()).limit(Duration::from_secs(300));
    let output = ready(&server).run(&command).expect("ran");
    // Not `assert_eq`: nobody wants to read the difference.
    assert!(output.stdout_bytes() == input, "{} bytes", output.stdout_bytes().len());
    assert!(output.stderr_bytes() == input, "{} bytes", output.stderr_bytes().len());
}

#[test]
fn open_ssh_carries_64_mib_each_way() {
    echo_on_both(Kind::OpenSsh, 64);
}

#[test]
fn dropbear_carries_16_mib_each_way() {
    echo_on_both(Kind::Dropbear, 16);
}

#[test]
fn much_on_standard_error_does_not_hold_up_standard_output() {
    for kind in [Kind::OpenSsh, Kind::Dropbear] {
        let server = Server::start(kind);
        let command = Cmd::sh("head -c 8388608 /dev/zero >&2; echo done");
        let output = ready(&server).run(&command).expect("ran");
        assert_eq!((&*output.stdout(), output.stderr_bytes().len()), ("done\n", 8 * MIB));
    }
}

/// Makes input and takes output without holding either.
#[derive(Default)]
struct Meter {
    bytes: u64,
    hash: Sha256,
}

impl Write for Meter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes += bytes.len() as u64;
        self.hash.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn two_hundred_megabytes_stream_through() {
    let server = Server::start(Kind::OpenSsh);
    let (mut out, mut err) = (Meter::default(), Vec::new());
    let mut input = io::repeat(b'x').take(200_000_000);
    let streams = Streams { stdin: &mut input, stdout: &mut out, stderr: &mut err };
    let status = ready(&server).stream(&cmd!("cat"), streams).expect("ran");
    assert!(status.success() && err.is_empty());
    assert_eq!(out.bytes, 200_000_000);

    let mut expected = Meter::default();
    io::copy(&mut io::repeat(b'x').take(200_000_000), &mut expected).expect("hashed");
    assert_eq!(out.hash.finalize(), expected.hash.finalize());
}

#[test]
fn a_failing_writer_ends_the_command_and_says_so() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if bytes.is_empty() { Ok(0) } else { Err(io::Error::other("disk full")) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let server = Server::start(Kind::OpenSsh);
    let ssh = ready(&server);
    let streams = Streams { stdin: &mut io::empty(), stdout: &mut Full, stderr: &mut io::sink() };
    let error = ssh.stream(&cmd!("yes"), streams).expect_err("failed").to_string();
    assert_eq!(error, "guest: `yes`: standard output failed on this side: disk full");
    ssh.run(&cmd!("true")).expect("the next command");
}

#[test]
fn commands_run_side_by_side() {
    let server = Server::start(Kind::OpenSsh);
    let (ssh, reach) = server.ssh();
    ssh.wait(START_LIMIT).expect("ready");
    // Each waits for all of the others, so they only end if all eight run at once.
    let directory = server.directory().join("meeting");
    std::fs::create_dir(&directory).expect("a directory");
    let meet = "touch \"$1/$2\"; while [ \"$(ls \"$1\" | wc -l)\" -lt 8 ]; do sleep 0.05; done; echo \"$2\"";
    let answers: HashSet<String> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|index| {
                let command = Cmd::sh(meet)
                    .arg(&directory)
                    .arg(index.to_string())
                    .limit(Duration::from_secs(60));
                let ssh = ssh.clone();
                scope.spawn(move || ssh.run(&command).expect("ran").stdout().into_owned())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("joined")).collect()
    });
    assert_eq!(answers, (0..8).map(|index| format!("{index}\n")).collect());
    assert_eq!(reach.connections(), 8);

    for _ in 0..20 {
        ssh.run(&cmd!("true")).expect("ran");
    }
    assert_eq!(reach.connections(), 8, "idle sessions serve what follows");
}
