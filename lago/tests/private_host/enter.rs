//! Commands inside.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use lago::host::HOST_VARIABLE;
use lago::utils::HostCommand;
use nix::sys::signal::Signal;

use crate::fixture::{Fixture, kill, lives, printed, wait_until, with_argument};

pub(crate) fn a_command_keeps_its_surroundings() {
    let fixture = Fixture::started();
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().canonicalize().unwrap();
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "pwd; echo \"$GREETING\"; echo \"$1\"; cat; echo error >&2",
        "sh",
        "it's \"one\" $argument",
    ]);
    command.current_dir(&directory).env("GREETING", "good day");
    fixture.host.enter(&mut command).unwrap();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"input\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let expected = format!("{}\ngood day\nit's \"one\" $argument\ninput", directory.display());
    assert_eq!(printed(&output), expected);
    assert_eq!(output.stderr, b"error\n");
    assert_eq!(fixture.say(&format!("echo ${HOST_VARIABLE}")), fixture.dir().to_str().unwrap());
}

pub(crate) fn exit_codes_and_signals_pass() {
    let fixture = Fixture::started();
    assert_eq!(fixture.shell("exit 42").status().unwrap().code(), Some(42));
    assert_eq!(fixture.shell("kill -9 $$").status().unwrap().signal(), Some(9));
    assert_eq!(fixture.shell("kill -TERM $$").status().unwrap().signal(), Some(15));

    // A signal to the child that `spawn` returned reaches the command, which may handle it.
    let script = "trap 'echo terminated; exit 3' TERM; echo ready; while :; do sleep 0.05; done";
    let mut child = fixture.shell(script).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = child.stdout.take().unwrap();
    let mut ready = [0; 6];
    output.read_exact(&mut ready).unwrap();
    kill(pid(&child), Signal::SIGTERM);
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert_eq!(io::read_to_string(output).unwrap(), "terminated\n");
}

/// A plain user on Debian does not have it on the search path.
pub(crate) fn a_program_for_administrators_is_found() {
    let fixture = Fixture::started();
    let nft = HostCommand::new("nft").args(["list", "ruleset"]);
    assert_eq!(fixture.host.run(nft).unwrap().stdout_text(), "");
}

pub(crate) fn a_missing_program_is_an_error() {
    let fixture = Fixture::started();
    let mut command = Command::new("no-such-program");
    fixture.host.enter(&mut command).unwrap();
    assert_eq!(command.spawn().unwrap_err().kind(), io::ErrorKind::NotFound);
}

pub(crate) fn a_killed_child_kills_the_command() {
    let fixture = Fixture::started();
    let unique = format!("1000.{}", fixture.first_process());
    let mut command = Command::new("sleep");
    fixture.host.enter(command.arg(&unique)).unwrap();
    let mut child = command.spawn().unwrap();
    wait_until("it sleeps", || with_argument(&unique).iter().any(|found| *found != pid(&child)));
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    wait_until("it is gone", || with_argument(&unique).is_empty());
}

pub(crate) fn streams_close_when_the_command_closes_them() {
    let fixture = Fixture::started();
    let mut child = fixture
        .shell("exec <&- >&- 2>&-; sleep 1000")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // These end although the command lives on, so nobody else keeps the streams open.
    assert_eq!(io::read_to_string(child.stdout.take().unwrap()).unwrap(), "");
    assert_eq!(io::read_to_string(child.stderr.take().unwrap()).unwrap(), "");
    assert!(child.try_wait().unwrap().is_none());
    let broken = child.stdin.take().unwrap().write_all(b"input").unwrap_err();
    assert_eq!(broken.kind(), io::ErrorKind::BrokenPipe);
    child.kill().unwrap();
    child.wait().unwrap();
}

pub(crate) fn further_descriptors_are_inherited() {
    let fixture = Fixture::started();
    let (mut reader, writer) = io::pipe().unwrap();
    // A descriptor as a command's protocol uses it: open in the child, and not one of the standard streams.
    let inherited = nix::unistd::dup(&writer).unwrap();
    drop(writer);
    // A shell need not know numbers of more than one digit.
    let script = format!("echo message >/proc/self/fd/{}", inherited.as_raw_fd());
    let mut child = fixture.shell(&script).spawn().unwrap();
    drop(inherited);
    assert!(child.wait().unwrap().success());
    let mut message = String::new();
    reader.read_to_string(&mut message).unwrap();
    assert_eq!(message, "message\n");
}

pub(crate) fn a_process_inside_uses_the_host_directly() {
    let fixture = Fixture::started();
    // The tests' own program, inside: there its host is the one around it.
    let mut inside = Command::new(std::env::current_exe().unwrap());
    inside.env(crate::STARTER_VARIABLE, fixture.dir()).stdout(Stdio::piped());
    fixture.host.enter(&mut inside).unwrap();
    let mut child = inside.spawn().unwrap();
    let mut started = [0; 8];
    child.stdout.take().unwrap().read_exact(&mut started).unwrap();
    assert_eq!(&started, b"started\n");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(fixture.say("pidof libvirtd | wc -w"), "1");
}

pub(crate) fn a_stopped_command_stops_its_supervisor() {
    let fixture = Fixture::started();
    let mut child = fixture.shell("kill -STOP $$; exit 5").spawn().unwrap();
    wait_until("it stops", || state(pid(&child)) == Some('T'));
    kill(pid(&child), Signal::SIGCONT);
    assert_eq!(child.wait().unwrap().code(), Some(5));
    assert!(!lives(pid(&child)));
}

fn pid(child: &std::process::Child) -> i32 {
    child.id().try_into().unwrap()
}

fn state(pid: i32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}
