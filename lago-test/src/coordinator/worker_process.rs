//! The coordinator's side of a worker process: starting it, waiting for its answers, ending it.

use std::fs::File;
use std::io::{self, Read as _};
use std::ops::ControlFlow;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use lago::utils::Deadline;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal};

use super::interrupts::{self, Interrupts};
use crate::limits;
use crate::outcome::Outcome;
use crate::protocol::{self, Answer, Request};

/// A running worker.
#[derive(Debug)]
pub(super) struct WorkerProcess {
    number: u32,
    child: Child,
    pidfd: OwnedFd,
    socket: UnixStream,
    received: Vec<u8>,
}

/// What came of waiting for an answer.
#[derive(Debug)]
pub(super) enum Waited {
    Answer(Answer),
    /// Its end of the socket is closed, or its process is gone.
    Gone,
    /// It says what is no message.
    Garbled(io::Error),
    LimitPassed,
    Interrupted,
    /// What was looked at meanwhile has settled the outcome.
    CalledOff(Outcome),
}

/// What happens while an answer is waited for.
pub(super) type Meanwhile<'a> = dyn FnMut() -> ControlFlow<Outcome> + 'a;

/// How a wait is watched: its limit, what ends it early, and what happens meanwhile.
pub(super) struct Watch<'a> {
    pub(super) limit: Duration,
    pub(super) interrupts: &'a Interrupts,
    /// Called now and then while waiting, at the latest after the duration. It may end the wait with an outcome.
    pub(super) meanwhile: Option<(Duration, &'a mut Meanwhile<'a>)>,
}

impl WorkerProcess {
    /// Starts a worker by a command whose program and environment are complete. What it prints outside of scenarios
    /// goes to `log`.
    pub(super) fn start(mut command: Command, number: u32, log: &Path) -> io::Result<Self> {
        let (socket, its_end) = UnixStream::pair()?;
        socket.set_nonblocking(true)?;
        let log = File::create(log)?;
        let child = command
            .env(protocol::WORKER_VARIABLE, number.to_string())
            .stdin(Stdio::from(OwnedFd::from(its_end)))
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C on the terminal is for the coordinator, and a kill reaches the scenario's own children.
            .process_group(0)
            .spawn()?;
        // The command keeps a copy of the worker's end, which would hide the worker's death.
        drop(command);
        let pidfd = rustix::process::pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
        Ok(Self { number, child, pidfd, socket, received: Vec::new() })
    }

    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// Whether it lives and says nothing, as an idle worker should.
    pub(super) fn is_quiet(&self) -> bool {
        let mut fds = [
            PollFd::new(&self.socket, PollFlags::IN),
            PollFd::from_borrowed_fd(self.pidfd.as_fd(), PollFlags::IN),
        ];
        poll(&mut fds, Some(&Timespec::default())) == Ok(0)
    }

    pub(super) fn send(&mut self, request: &Request) -> io::Result<()> {
        // Requests are far smaller than the socket's buffer, so this never has to wait.
        protocol::send(&self.socket, request)
    }

    /// Waits for the next answer.
    pub(super) fn wait(&mut self, mut watch: Watch<'_>) -> Waited {
        let deadline = Deadline::new("an answer", watch.limit);
        loop {
            match protocol::take(&mut self.received) {
                Ok(Some(answer)) => return Waited::Answer(answer),
                Ok(None) => {}
                Err(error) => return Waited::Garbled(error),
            }
            let left = deadline.remaining();
            if left.is_zero() {
                return Waited::LimitPassed;
            }
            let pause = watch.meanwhile.as_ref().map_or(left, |(pause, _)| left.min(*pause));
            let ready = match self.poll(watch.interrupts, pause) {
                Ok(ready) => ready,
                Err(error) => return Waited::Garbled(error),
            };
            if let Some((_, meanwhile)) = &mut watch.meanwhile
                && let ControlFlow::Break(outcome) = meanwhile()
            {
                return Waited::CalledOff(outcome);
            }
            match ready {
                // An answer that was sent right before the end still counts.
                Ready::Socket | Ready::Ended if self.receive() => {}
                Ready::Socket | Ready::Ended => return Waited::Gone,
                Ready::Interrupt => return Waited::Interrupted,
                Ready::Nothing => {}
            }
        }
    }

    fn poll(&self, interrupts: &Interrupts, pause: Duration) -> io::Result<Ready> {
        let wake = interrupts.readable();
        let mut fds = [
            PollFd::new(&self.socket, PollFlags::IN),
            PollFd::from_borrowed_fd(self.pidfd.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(wake, PollFlags::IN),
        ];
        // A pause that is too long for the system is none.
        match poll(&mut fds, Timespec::try_from(pause).ok().as_ref()) {
            Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(Ready::Nothing),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let is_ready = |fd: &PollFd<'_>| !fd.revents().is_empty();
        Ok(if is_ready(&fds[0]) {
            Ready::Socket
        } else if is_ready(&fds[1]) {
            Ready::Ended
        } else {
            Ready::Interrupt
        })
    }

    /// Takes what has arrived; false when nothing has and nothing will.
    fn receive(&mut self) -> bool {
        let mut buffer = [0; 4 << 10];
        match self.socket.read(&mut buffer) {
            Ok(0) => false,
            Ok(length) => {
                self.received.extend_from_slice(&buffer[..length]);
                true
            }
            Err(error) => error.kind() == io::ErrorKind::Interrupted,
        }
    }

    /// Asks it to leave, and kills it when it does not. Says how it ended.
    pub(super) fn quit(mut self) -> String {
        let asked = self.send(&Request::Quit).is_ok();
        if asked && self.has_ended_within(limits::WORKER_QUIT) {
            return self.reap();
        }
        self.kill()
    }

    /// Kills it and everything that its scenario has started. Says how it ended.
    pub(super) fn kill(mut self) -> String {
        self.kill_group();
        if self.has_ended_within(limits::WORKER_KILL) {
            return self.reap();
        }
        format!(
            "did not end within {} of SIGKILL: process {} hangs in the kernel",
            crate::duration::spoken(limits::WORKER_KILL),
            self.child.id()
        )
    }

    /// The group's number is the child's, which stays taken until the child is reaped.
    fn kill_group(&self) {
        // It may have no process left.
        let _ = rustix::process::kill_process_group(Pid::from_child(&self.child), Signal::KILL);
    }

    fn has_ended_within(&self, limit: Duration) -> bool {
        let deadline = Deadline::new("the end of the worker", limit);
        loop {
            let left = deadline.remaining();
            let Ok(timeout) = Timespec::try_from(left) else { return false };
            let mut fds = [PollFd::from_borrowed_fd(self.pidfd.as_fd(), PollFlags::IN)];
            match poll(&mut fds, Some(&timeout)) {
                Ok(0) => return false,
                Ok(_) => return true,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return false,
            }
        }
    }

    /// Takes the exit status of a process that has ended, after its descendants have been killed.
    fn reap(&mut self) -> String {
        self.kill_group();
        match self.child.wait() {
            Ok(status) => describe(status),
            Err(error) => format!("ended in an unknown way: {error}"),
        }
    }

    /// How a worker ended that is gone by itself. One whose socket has closed but whose process lives is killed.
    pub(super) fn autopsy(mut self) -> String {
        if self.has_ended_within(limits::WORKER_QUIT) {
            return self.reap();
        }
        format!("closed its connection and lived on; {}", self.kill())
    }
}

/// The first thing that a poll saw.
enum Ready {
    Socket,
    Ended,
    Interrupt,
    Nothing,
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with code {code}"),
        (None, Some(signal)) => format!("killed by signal {signal} ({})", interrupts::name(signal)),
        (None, None) => status.to_string(),
    }
}
