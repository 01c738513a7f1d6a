//! A shell on a terminal: the near end is a pseudo-terminal of the test's, the far end a real login shell.

use std::fs::File;
use std::io::{self, Read as _, Write};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use lago::guest::{Cmd, GuestError, GuestStatus, Result, Ssh, Terminal};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::server::{Kind, START_LIMIT, Server};

/// How long the shell may take to show something.
const SHOW_LIMIT: Duration = Duration::from_secs(30);

/// The user's end of a terminal.
struct User {
    keyboard: File,
    terminal: OwnedFd,
    screen: Screen,
}

/// What the shell has shown.
#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<u8>>>);

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("unpoisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Screen {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("unpoisoned")).into_owned()
    }

    fn await_text(&self, wanted: &str) {
        let end = Instant::now() + SHOW_LIMIT;
        while !self.text().contains(wanted) {
            assert!(Instant::now() < end, "{wanted:?} is not shown: {:?}", self.text());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl User {
    fn new() -> Self {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&keyboard).expect("granted");
        unlockpt(&keyboard).expect("unlocked");
        let name = ptsname(&keyboard, Vec::new()).expect("a name");
        let terminal =
            rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).expect("opened");
        let user = Self { keyboard: keyboard.into(), terminal, screen: Screen::default() };
        user.resize(33, 101);
        user
    }

    fn resize(&self, rows: u16, columns: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.keyboard, size).expect("a size");
    }

    fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("typed");
    }

    fn is_cooked(&self) -> bool {
        let modes = tcgetattr(&self.terminal).expect("modes").local_modes;
        modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
    }

    /// Runs a conversation beside what the user does.
    fn converse(
        &mut self,
        ssh: &Ssh,
        command: Option<&Cmd>,
        act: impl FnOnce(&mut Self),
    ) -> Result<GuestStatus> {
        let terminal = self.terminal.try_clone().expect("a clone");
        let mut screen = self.screen.clone();
        let mut errors = self.screen.clone();
        thread::scope(|scope| {
            let conversation = scope.spawn(move || {
                let terminal =
                    Terminal { input: terminal.as_fd(), output: &mut screen, error: &mut errors };
                ssh.interactive_on(command, terminal)
            });
            act(self);
            conversation.join().expect("joined")
        })
    }
}

fn ready(server: &Server) -> Ssh {
    let (ssh, _) = server.ssh();
    ssh.wait(START_LIMIT).expect("ready");
    ssh
}

fn shell(kind: Kind) {
    let server = Server::start(kind);
    let mut user = User::new();
    let status = user.converse(&ready(&server), None, |user| {
        user.types("stty size; echo $((6 * 7))\r");
        user.screen.await_text("33 101");
        user.screen.await_text("42");
        assert!(!user.is_cooked(), "raw while it runs");
        user.resize(50, 120);
        user.types("sleep 2; stty size\r");
        user.screen.await_text("50 120");
        // What is typed is shown as well, so the word is put together.
        user.types("sh -c 'echo as\"\"leep; exec sleep 1000'\r");
        user.screen.await_text("asleep");
        user.types("\x03");
        user.types("exit 5\r");
    });
    assert_eq!(status.expect("ended"), GuestStatus::Code(5));
    assert!(user.is_cooked(), "restored");
}

#[test]
fn open_ssh() {
    shell(Kind::OpenSsh);
}

#[test]
fn dropbear() {
    shell(Kind::Dropbear);
}

#[test]
fn the_terminal_is_restored_when_the_session_is_left_or_breaks() {
    let mut server = Server::start(Kind::OpenSsh);
    let (ssh, reach) = server.ssh();
    ssh.wait(START_LIMIT).expect("ready");
    let mut user = User::new();
    let sleep = Cmd::sh("echo up; exec sleep 1000");

    let left = user.converse(&ssh, Some(&sleep), |user| {
        user.screen.await_text("up");
        user.types("\r~.");
    });
    assert!(matches!(left, Err(GuestError::Terminal { .. })), "{left:?}");
    assert!(user.is_cooked());

    let mut user = User::new();
    let gone = user.converse(&ssh, Some(&sleep), |user| {
        user.screen.await_text("up");
        reach.declare_gone("it was destroyed");
    });
    assert!(matches!(gone, Err(GuestError::VmGone { .. })), "{gone:?}");
    assert!(user.is_cooked());

    let mut user = User::new();
    let (ssh, _) = server.ssh();
    let broken = user.converse(&ssh, Some(&sleep), |user| {
        user.screen.await_text("up");
        server.kill();
    });
    assert!(matches!(broken, Err(GuestError::ConnectionLost { .. })), "{broken:?}");
    assert!(user.is_cooked());
}

#[test]
fn without_a_terminal_input_is_passed_on_as_it_is() {
    let server = Server::start(Kind::OpenSsh);
    let (near, mut far) = std::os::unix::net::UnixStream::pair().expect("a pair");
    let (mut out, mut err) = (Vec::new(), Vec::new());
    far.write_all(b"echo got it; test ! -t 0 || echo a terminal >&2; exit 9\n").expect("written");
    drop(far);
    let terminal = Terminal { input: near.as_fd(), output: &mut out, error: &mut err };
    let status = ready(&server).interactive_on(None, terminal).expect("ended");
    assert_eq!(status, GuestStatus::Code(9));
    assert_eq!(String::from_utf8_lossy(&out), "got it\n");
    let mut text = String::new();
    err.as_slice().read_to_string(&mut text).expect("text");
    assert_eq!(text, "");
}
