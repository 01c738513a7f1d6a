//! The terminal, lent to a program that a person works with, such as a shell.
//!
//! The program becomes the terminal's foreground job, as a shell does it with what it starts. What is typed goes to it,
//! Ctrl-C included: neither this process nor cargo above it gets that.

use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use nix::sys::signal::{SigSet, SigmaskHow, Signal as NixSignal};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group};
use rustix::termios::{OptionalActions, tcgetattr, tcgetpgrp, tcsetattr, tcsetpgrp};

use super::interrupts::Interrupts;

/// How often it is looked whether the program has stopped itself: nobody could continue it.
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// How long a program may take to end that was hung up.
const HANGUP: Duration = Duration::from_secs(5);

/// Why there is no terminal to lend, if there is none.
pub(super) fn obstacle() -> Option<&'static str> {
    let are_terminals =
        io::stdin().is_terminal() && io::stdout().is_terminal() && io::stderr().is_terminal();
    if !are_terminals {
        return Some("standard input, output and error are not all a terminal");
    }
    let foreground = tcgetpgrp(io::stdin()).ok();
    (foreground != Some(rustix::process::getpgrp())).then_some("this run is in the background")
}

/// Runs a program in the foreground of the terminal for as long as it takes. A signal that ends the run ends it.
pub(super) fn lend_to(command: &mut Command, interrupts: &Interrupts) -> io::Result<ExitStatus> {
    let modes = tcgetattr(io::stdin())?;
    // Whoever is in the background and changes something about the terminal is stopped otherwise.
    let mut signals = SigSet::empty();
    signals.add(NixSignal::SIGTTOU);
    let before = signals.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let ended = run(command, interrupts);
    let taken_back = tcsetpgrp(io::stdin(), rustix::process::getpgrp())
        .and_then(|()| tcsetattr(io::stdin(), OptionalActions::Drain, &modes));
    before.thread_set_mask()?;
    let status = ended?;
    taken_back?;
    Ok(status)
}

fn run(command: &mut Command, interrupts: &Interrupts) -> io::Result<ExitStatus> {
    let child = command.process_group(0).spawn()?;
    let group = Pid::from_child(&child);
    let lent = tcsetpgrp(io::stdin(), group);
    // It may have wanted the terminal before it had it, and was stopped.
    let _ = kill_process_group(group, Signal::CONT);
    let status = Job { child, group }.wait(interrupts);
    lent?;
    status
}

/// A program in the foreground.
struct Job {
    child: Child,
    group: Pid,
}

impl Job {
    fn wait(mut self, interrupts: &Interrupts) -> io::Result<ExitStatus> {
        let pidfd = rustix::process::pidfd_open(self.group, PidfdFlags::empty())?;
        let wake = interrupts.readable();
        loop {
            let mut fds =
                [PollFd::new(&pidfd, PollFlags::IN), PollFd::from_borrowed_fd(wake, PollFlags::IN)];
            match poll(&mut fds, Some(&PAUSE)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let has_ended = !fds[0].revents().is_empty();
            let is_called_off = !fds[1].revents().is_empty();
            if has_ended {
                return self.child.wait();
            }
            if is_called_off {
                return self.hang_up(&pidfd);
            }
            self.go_on_if_stopped();
        }
    }

    /// The shell's own `suspend` would leave nobody at the terminal. A shell that has wanted the terminal before it had it
    /// stops its group, and may do that while the group is told to go on: then one process of it runs and another does not,
    /// and of those that are not children of this process nobody tells. What runs does not mind being told.
    fn go_on_if_stopped(&self) {
        // A group that has ended is as good.
        let _ = kill_process_group(self.group, Signal::CONT);
    }

    /// As when its terminal is closed. What does not end then is killed.
    fn hang_up(mut self, pidfd: impl AsFd) -> io::Result<ExitStatus> {
        for signal in [Signal::HUP, Signal::KILL] {
            let _ = kill_process_group(self.group, signal);
            let limit = Timespec::try_from(HANGUP).unwrap_or(PAUSE);
            let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
            if poll(&mut fds, Some(&limit))? > 0 {
                return self.child.wait();
            }
        }
        self.child.wait()
    }
}
