//! Feeding and draining a child process until it ends or its limit passes, in one thread.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, ChildStdin};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::super::Deadline;
use super::CommandOutput;

/// From `SIGKILL` until the child is gone. Only a process that the kernel holds in a disk wait takes longer.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// How the child ended.
pub(super) enum Ended {
    Itself(CommandOutput),
    Killed { stderr: Vec<u8> },
}

/// Gives `input` to the child and takes its output until it ends. Output that a process left behind by the child writes
/// later is not waited for: a program that starts a daemon would never seem to end.
pub(super) fn pump(mut child: Child, input: Vec<u8>, deadline: &Deadline) -> io::Result<Ended> {
    let mut pipes = Pipes::new(&mut child, input)?;
    let ended = pipes.until_exit(&child, deadline);
    if !matches!(ended, Ok(true)) {
        let killed = kill_process_group(pid(&child)?, Signal::KILL);
        // Gone between the limit and here: its status is still to be collected.
        if let Err(error) =
            killed.or_else(|e| if e == rustix::io::Errno::SRCH { Ok(()) } else { Err(e) })
        {
            return Err(error.into());
        }
        if !ends_within(&child, KILL_LIMIT)? {
            let seconds = KILL_LIMIT.as_secs();
            return Err(io::Error::other(format!(
                "it passed its limit and did not end within {seconds} s of SIGKILL: process {} hangs in the kernel",
                child.id()
            )));
        }
    }
    let status = child.wait()?;
    if !ended? {
        return Ok(Ended::Killed { stderr: pipes.stderr.content });
    }
    Ok(Ended::Itself(CommandOutput {
        status,
        stdout: pipes.stdout.content,
        stderr: pipes.stderr.content,
    }))
}

/// Whether the child has ended by then; its status is still to be collected.
fn ends_within(child: &Child, limit: Duration) -> io::Result<bool> {
    let exit = pidfd_open(pid(child)?, PidfdFlags::empty())?;
    let deadline = Deadline::new("the end of a killed process", limit);
    loop {
        let timeout = Timespec::try_from(deadline.remaining()).ok();
        match poll(&mut [PollFd::new(&exit, PollFlags::IN)], timeout.as_ref()) {
            Ok(count) => return Ok(count > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn pid(child: &Child) -> io::Result<Pid> {
    i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::other("the kernel gave an impossible process id"))
}

struct Pipes {
    stdin: Option<ChildStdin>,
    input: Vec<u8>,
    sent: usize,
    stdout: Sink,
    stderr: Sink,
}

/// A pipe's reading end, until its end, and what came out of it.
struct Sink {
    pipe: Option<Box<dyn ReadFd>>,
    content: Vec<u8>,
}

trait ReadFd: Read + AsFd {}
impl<T: Read + AsFd> ReadFd for T {}

impl Pipes {
    fn new(child: &mut Child, input: Vec<u8>) -> io::Result<Self> {
        let stdin = child.stdin.take();
        if let Some(pipe) = &stdin {
            never_block(pipe.as_fd())?;
        }
        let stdout = Sink::new(child.stdout.take())?;
        let stderr = Sink::new(child.stderr.take())?;
        Ok(Self { stdin, input, sent: 0, stdout, stderr })
    }

    /// Whether the child ended by itself, rather than the limit passed.
    fn until_exit(&mut self, child: &Child, deadline: &Deadline) -> io::Result<bool> {
        let exit = pidfd_open(pid(child)?, PidfdFlags::empty())?;
        loop {
            self.feed()?;
            let exited = wait(self, exit.as_fd(), deadline)?;
            self.stdout.drain(deadline)?;
            self.stderr.drain(deadline)?;
            if exited {
                return Ok(true);
            }
            if deadline.passed() {
                return Ok(false);
            }
        }
    }

    fn feed(&mut self) -> io::Result<()> {
        while let Some(pipe) = &mut self.stdin {
            match pipe.write(&self.input[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // It does not want the rest.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.stdin = None,
                Err(error) => return Err(error),
            }
            if self.sent == self.input.len() {
                self.stdin = None;
            }
        }
        Ok(())
    }
}

impl Sink {
    fn new<R: ReadFd + 'static>(pipe: Option<R>) -> io::Result<Self> {
        if let Some(pipe) = &pipe {
            never_block(pipe.as_fd())?;
        }
        Ok(Self { pipe: pipe.map(|pipe| Box::new(pipe) as Box<dyn ReadFd>), content: Vec::new() })
    }

    fn drain(&mut self, deadline: &Deadline) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        while let Some(pipe) = &mut self.pipe {
            match pipe.read(&mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(count) => self.content.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if deadline.passed() {
                break;
            }
        }
        Ok(())
    }
}

/// Waits until a pipe is ready, the child has exited or the limit has passed; whether the child has exited.
fn wait(pipes: &Pipes, exit: BorrowedFd<'_>, deadline: &Deadline) -> io::Result<bool> {
    let mut fds = vec![PollFd::from_borrowed_fd(exit, PollFlags::IN)];
    for sink in [&pipes.stdout, &pipes.stderr] {
        fds.extend(
            sink.pipe.iter().map(|pipe| PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)),
        );
    }
    fds.extend(pipes.stdin.iter().map(|pipe| PollFd::new(pipe, PollFlags::OUT)));
    let timeout = Timespec::try_from(deadline.remaining()).ok();
    match poll(&mut fds, timeout.as_ref()) {
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(!fds[0].revents().is_empty()),
    }
}

fn never_block(fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(fcntl_setfl(fd, fcntl_getfl(fd)? | OFlags::NONBLOCK)?)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_that_does_not_end_is_given_up() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        assert!(!ends_within(&child, Duration::from_millis(20)).unwrap());
        child.kill().unwrap();
        assert!(ends_within(&child, KILL_LIMIT).unwrap());
        child.wait().unwrap();
    }
}
