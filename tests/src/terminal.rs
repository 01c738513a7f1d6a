//! A program on a terminal, as a person has it.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::wait_until;

/// A program on a terminal of its own.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    keyboard: File,
    screen: Arc<Mutex<String>>,
}

impl Terminal {
    /// Starts it.
    ///
    /// # Panics
    /// When there is no terminal, or it cannot be started; as all that follows.
    pub fn start(command: Command) -> Self {
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

    /// Starts it as what a person has started there: Ctrl-C is for whoever is in the foreground.
    pub fn start_session(command: &Command) -> Self {
        let mut session = Command::new("setsid");
        session.args(["--ctty", "--wait"]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => session.env(name, value),
                None => session.env_remove(name),
            };
        }
        Self::start(session)
    }

    /// The process that was started.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Types on its keyboard.
    pub fn type_in(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("the terminal takes it");
    }

    /// All that was shown so far.
    pub fn shown(&self) -> String {
        self.screen.lock().expect("no panic").clone()
    }

    /// Waits until a text was shown.
    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        wait_until(&format!("{text:?} on the terminal"), || self.shown().contains(text));
    }

    /// Waits for its end; the exit code, unless a signal ended it.
    #[track_caller]
    pub fn code(&mut self) -> Option<i32> {
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
