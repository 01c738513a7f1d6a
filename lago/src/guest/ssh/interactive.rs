//! A shell in the guest on the user's own terminal.

use std::io::{self, Write};
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::termios::{
    OptionalActions, Termios, Winsize, isatty, tcgetattr, tcgetwinsize, tcsetattr,
};
use ssh2::Channel;

use super::Ssh;
use super::exec::{Outgoing, close, finish, open_channel, read};
use super::session::Session;
use super::signals::Signals;
use super::watch::{Fault, Watch};
use crate::guest::{Cmd, GuestError, GuestStatus, Result};

/// How long a shell may take to start: a session, a handshake under software emulation, a login.
const START_LIMIT: Duration = Duration::from_secs(120);

/// How much is moved at once.
const CHUNK: usize = 32 * 1024;

/// Where an interactive shell reads and shows: a terminal, or what stands in for one.
pub struct Terminal<'a> {
    /// What the user types. If it is a terminal, it is in raw mode meanwhile, and the guest's shell gets one too.
    pub input: BorrowedFd<'a>,
    /// Where the shell's output goes.
    pub output: &'a mut dyn Write,
    /// Where standard error goes. On a terminal the guest sends all of it as output.
    pub error: &'a mut dyn Write,
}

pub(super) fn run(ssh: &Ssh, command: Option<&Cmd>, ends: Terminal<'_>) -> Result<GuestStatus> {
    let line = command.map(Cmd::shell_line).transpose()?;
    let what =
        command.map_or_else(|| "interactive shell".to_owned(), |command| format!("`{command}`"));
    let start = Watch::new(&*ssh.reach, START_LIMIT);
    let (session, mut channel) = ssh.start(&start, open_channel)?;

    let terminal = Some(ends.input).filter(|fd| isatty(fd));
    begin(&session, &mut channel, &start, terminal, line.as_deref())
        .map_err(|fault| ssh.explain(fault, &what, String::new()))?;

    let terminal_trouble = |error: io::Error| ssh.terminal_trouble(error.to_string());
    let signals = Signals::new().map_err(terminal_trouble)?;
    let raw_mode = terminal.map(RawMode::enter).transpose().map_err(terminal_trouble)?;
    let watch = Watch::unlimited(&*ssh.reach);
    let mut conversation = Conversation {
        session: &session,
        ends,
        terminal,
        signals,
        outgoing: Outgoing::default(),
        escape: Escape::default(),
        buffer: vec![0; CHUNK],
    };
    let ended = conversation.run(&mut channel, &watch);
    drop(raw_mode);

    match ended {
        Ok(End::Closed) => {
            let status = finish(&session, &mut channel, &watch)
                .map_err(|fault| ssh.explain(fault, &what, String::new()))?;
            close(ssh, session, channel);
            Ok(status)
        }
        Ok(End::Left(why)) => {
            session.cut();
            Err(ssh.terminal_trouble(why.to_owned()))
        }
        Err(fault) => {
            session.cut();
            Err(ssh.explain(fault, &what, String::new()))
        }
    }
}

impl Ssh {
    fn terminal_trouble(&self, detail: String) -> GuestError {
        GuestError::Terminal { vm: self.target.vm.clone(), detail }
    }
}

fn begin(
    session: &Session,
    channel: &mut Channel,
    watch: &Watch<'_>,
    terminal: Option<BorrowedFd<'_>>,
    line: Option<&str>,
) -> Result<(), Fault> {
    if let Some(terminal) = terminal {
        let kind = std::env::var("TERM").unwrap_or_else(|_| "dumb".to_owned());
        let size = tcgetwinsize(terminal)
            .ok()
            .map(|size| (u32::from(size.ws_col), u32::from(size.ws_row), 0, 0));
        session.drive(watch, || channel.request_pty(&kind, None, size))?;
    }
    session.drive(watch, || match line {
        Some(line) => channel.exec(line),
        None => channel.shell(),
    })
}

/// How a conversation ended.
enum End {
    /// The guest closed it.
    Closed,
    /// The user, or a signal, left it.
    Left(&'static str),
}

struct Conversation<'s, 'e> {
    session: &'s Session,
    ends: Terminal<'e>,
    terminal: Option<BorrowedFd<'e>>,
    signals: Signals,
    outgoing: Outgoing,
    escape: Escape,
    buffer: Vec<u8>,
}

impl Conversation<'_, '_> {
    fn run(&mut self, channel: &mut Channel, watch: &Watch<'_>) -> Result<End, Fault> {
        let mut size = self.terminal.and_then(|terminal| tcgetwinsize(terminal).ok());
        loop {
            let moved = self.show_output(channel)? | self.outgoing.send(channel)?;
            if channel.eof() {
                return Ok(End::Closed);
            }
            if self.escape.is_complete() {
                return Ok(End::Left("left by ~."));
            }
            if self.signals.asked_to_end() {
                return Ok(End::Left("a signal asked to end it"));
            }
            size = self.follow_size(channel, size)?;
            if !moved && channel.read_window().available == 0 {
                self.await_something(channel, watch)?;
            }
        }
    }

    fn show_output(&mut self, channel: &Channel) -> Result<bool, Fault> {
        let out = read(channel, 0, &mut self.buffer)?;
        self.ends
            .output
            .write_all(&self.buffer[..out])
            .and_then(|()| self.ends.output.flush())
            .map_err(|error| Fault::Local { stream: "standard output", error })?;
        let err = read(channel, ssh2::EXTENDED_DATA_STDERR, &mut self.buffer)?;
        self.ends
            .error
            .write_all(&self.buffer[..err])
            .map_err(|error| Fault::Local { stream: "standard error", error })?;
        Ok(out + err > 0)
    }

    /// Tells the guest a new size of the window. While other bytes are on their way it has to wait for them.
    fn follow_size(
        &self,
        channel: &mut Channel,
        told: Option<Winsize>,
    ) -> Result<Option<Winsize>, Fault> {
        let now = self.terminal.and_then(|terminal| tcgetwinsize(terminal).ok());
        let (Some(now_size), false) = (now, now == told || self.outgoing.is_waiting()) else {
            return Ok(told);
        };
        let (columns, rows) = (u32::from(now_size.ws_col), u32::from(now_size.ws_row));
        match channel.request_pty_size(columns, rows, None, None).map_err(Fault::from) {
            Ok(()) => Ok(now),
            Err(fault) if fault.would_block() => Ok(told),
            Err(fault) => Err(fault),
        }
    }

    fn await_something(&mut self, channel: &Channel, watch: &Watch<'_>) -> Result<(), Fault> {
        let sending = self.outgoing.is_waiting() && channel.write_window().remaining > 0;
        let mut fds = vec![
            self.session.poll_fd(sending),
            PollFd::from_borrowed_fd(self.signals.fd(), PollFlags::IN),
        ];
        if self.outgoing.wants_more() {
            fds.push(PollFd::from_borrowed_fd(self.ends.input, PollFlags::IN));
        }
        watch.poll(&mut fds)?;
        let typed = fds.get(2).is_some_and(|fd| !fd.revents().is_empty());
        self.signals.clear();
        if typed { self.take_input() } else { Ok(()) }
    }

    fn take_input(&mut self) -> Result<(), Fault> {
        let (input, escape) = (self.ends.input, &mut self.escape);
        let on_terminal = self.terminal.is_some();
        self.outgoing.fill(|buffer| {
            // Standard input's own buffer would hide from `poll` what it holds.
            let count = rustix::io::retry_on_intr(|| rustix::io::read(input, &mut *buffer))
                .map_err(|errno| Fault::Local { stream: "standard input", error: errno.into() })?;
            if on_terminal {
                escape.follow(&buffer[..count]);
            }
            Ok(count)
        })
    }
}

/// Looks for `~.` at the start of a line, the way out of a session that hangs. It is sent all the same.
#[derive(Debug, Default, PartialEq)]
enum Escape {
    #[default]
    LineStart,
    Tilde,
    InLine,
    Complete,
}

impl Escape {
    fn follow(&mut self, typed: &[u8]) {
        for byte in typed {
            *self = match (&*self, byte) {
                (Self::Complete, _) | (Self::Tilde, b'.') => Self::Complete,
                (_, b'\r' | b'\n') => Self::LineStart,
                (Self::LineStart, b'~') => Self::Tilde,
                _ => Self::InLine,
            };
        }
    }

    fn is_complete(&self) -> bool {
        *self == Self::Complete
    }
}

/// A terminal in raw mode until this is dropped.
struct RawMode<'a> {
    terminal: BorrowedFd<'a>,
    before: Termios,
}

impl<'a> RawMode<'a> {
    fn enter(terminal: BorrowedFd<'a>) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(terminal, OptionalActions::Drain, &raw)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for RawMode<'_> {
    fn drop(&mut self) {
        if let Err(errno) = tcsetattr(self.terminal, OptionalActions::Drain, &self.before) {
            tracing::warn!(%errno, "cannot restore the terminal; type `reset`");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Escape;

    fn leaves(typed: &[&str]) -> bool {
        let mut escape = Escape::default();
        for part in typed {
            escape.follow(part.as_bytes());
        }
        escape.is_complete()
    }

    #[test]
    fn tilde_dot_leaves_at_the_start_of_a_line_only() {
        assert!(leaves(&["~."]));
        assert!(leaves(&["ls\r", "~", "."]));
        assert!(leaves(&["~x\r~."]));
        assert!(!leaves(&["ls ~."]));
        assert!(!leaves(&["~~."]));
        assert!(!leaves(&["~", "\r", "."]));
    }
}
