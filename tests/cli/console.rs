//! The serial console and the interactive shell, on a terminal.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use lago_system_tests::wait_until;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::{Session, one_vm};

/// What a terminal sends for Ctrl-].
const LEAVE: &str = "\u{1d}";

#[test]
fn on_a_terminal() {
    let session = Session::new("cli-console");
    session.ok(&["init", &one_vm()]);
    session.ok(&["start"]);

    let mut console = Terminal::start(session.command(&["console", "vm0"]));
    console.wait_for("Escape character");
    console.type_in("\r");
    console.wait_for("login:");
    console.type_in(LEAVE);
    assert_eq!(console.code(), Some(0));

    let mut shell = Terminal::start(session.command(&["shell", "vm0"]));
    shell.type_in("echo $((6*7))-$(tty | cut -c1-8); exit 3\r");
    shell.wait_for("42-/dev/pts");
    assert_eq!(shell.code(), Some(3));

    let mut destroy = Terminal::start(session.command(&["destroy"]));
    destroy.wait_for("[y/N]");
    destroy.type_in("n\r");
    assert_eq!(destroy.code(), Some(1));
    assert!(session.workdir().exists());
    let mut destroy = Terminal::start(session.command(&["destroy"]));
    destroy.wait_for("[y/N]");
    destroy.type_in("y\r");
    assert_eq!(destroy.code(), Some(0));
    assert!(!session.workdir().exists());
}

/// A program on a terminal of its own.
struct Terminal {
    child: Child,
    keyboard: File,
    screen: Arc<Mutex<String>>,
}

impl Terminal {
    fn start(command: Command) -> Self {
        let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&near).expect("a terminal");
        unlockpt(&near).expect("a terminal");
        let name = ptsname(&near, Vec::new()).expect("a terminal has a name");
        let name = name.to_str().expect("a path");
        let end = || File::options().read(true).write(true).open(name).expect("a terminal opens");
        let child = on(command, &end);
        let keyboard = File::from(near.try_clone().expect("a descriptor"));
        Self { child, keyboard, screen: watch(near) }
    }

    fn type_in(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("the terminal takes it");
    }

    #[track_caller]
    fn wait_for(&self, text: &str) {
        let shown = || self.screen.lock().expect("no panic").clone();
        wait_until(&format!("{text:?} on the terminal"), || shown().contains(text));
    }

    #[track_caller]
    fn code(&mut self) -> Option<i32> {
        let mut status = None;
        wait_until("the program's end", || {
            status = self.child.try_wait().expect("it is a child");
            status.is_some()
        });
        status.expect("it has ended").code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn on(mut command: Command, end: &dyn Fn() -> File) -> Child {
    let stream = || Stdio::from(end());
    command.stdin(stream()).stdout(stream()).stderr(stream()).env("TERM", "dumb");
    command.spawn().expect("lago runs")
}

/// Collects what is shown. Reading fails when the last program on the terminal has ended.
fn watch(near: OwnedFd) -> Arc<Mutex<String>> {
    let screen = Arc::new(Mutex::new(String::new()));
    let shown = Arc::clone(&screen);
    thread::spawn(move || {
        let (mut near, mut buffer) = (File::from(near), [0; 4096]);
        while let Ok(count) = near.read(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
            shown.lock().expect("no panic").push_str(&text);
        }
    });
    screen
}
