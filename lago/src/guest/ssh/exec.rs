//! Running one command on a channel of its own.

use std::io::{self, Read, Write};
use std::time::Duration;

use ssh2::Channel;

use super::session::Session;
use super::watch::{Fault, Watch};
use super::{Ssh, tails};
use crate::guest::output::Tail;
use crate::guest::{Cmd, GuestStatus, Result};

/// How much is read or written at once: a few packets.
const CHUNK: usize = 128 * 1024;

/// How long closing a channel may take that the guest has closed already. It sends one packet and waits for none.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// The streams of a command, each on this side.
pub struct Streams<'a> {
    /// What the command reads.
    pub stdin: &'a mut dyn Read,
    /// Where its standard output goes.
    pub stdout: &'a mut dyn Write,
    /// Where its standard error goes.
    pub stderr: &'a mut dyn Write,
}

pub(super) fn stream(ssh: &Ssh, command: &Cmd, streams: Streams<'_>) -> Result<GuestStatus> {
    let line = command.shell_line()?;
    let watch = Watch::new(&*ssh.reach, command.limit_value());
    let (session, mut channel) = ssh.start(&watch, open_channel)?;

    let mut pump = Pump::new(streams);
    let ended = session
        .drive(&watch, || channel.exec(&line))
        .and_then(|()| pump.run(&session, &mut channel, &watch))
        .and_then(|()| finish(&session, &mut channel, &watch));
    match ended {
        Ok(status) => {
            close(ssh, session, channel);
            Ok(status)
        }
        Err(fault) => {
            session.cut();
            Err(ssh.explain(fault, &format!("`{command}`"), pump.so_far()))
        }
    }
}

pub(super) fn open_channel(session: &Session, watch: &Watch<'_>) -> Result<Channel, Fault> {
    session.drive(watch, || session.ssh().channel_session())
}

/// The status, once the guest has closed the channel. It may come after the end of the output, never after the close.
pub(super) fn finish(
    session: &Session,
    channel: &mut Channel,
    watch: &Watch<'_>,
) -> Result<GuestStatus, Fault> {
    session.drive(watch, || channel.wait_close())?;
    // A command that a signal ended has an exit status of 0.
    Ok(match channel.exit_signal()?.exit_signal {
        Some(name) => GuestStatus::Signal(name),
        None => GuestStatus::Code(channel.exit_status()?),
    })
}

/// Closes our side, and keeps the session if that goes well. It cannot while input is half sent that the command did not
/// want; such a session is given up.
pub(super) fn close(ssh: &Ssh, session: Session, mut channel: Channel) {
    let watch = Watch::new(&*ssh.reach, CLOSE_LIMIT);
    let closed = session.drive(&watch, || channel.close());
    drop(channel);
    if closed.is_ok() {
        ssh.pool.put(session);
    }
}

/// Carries input and output until the command's output ends.
///
/// The two outputs share one window: one that is not read holds up the other. So all three streams take turns, and the
/// socket is waited for only when none of them can move.
struct Pump<'a> {
    streams: Streams<'a>,
    stdout_tail: Tail,
    stderr_tail: Tail,
    outgoing: Outgoing,
    buffer: Box<[u8]>,
}

impl<'a> Pump<'a> {
    fn new(streams: Streams<'a>) -> Self {
        Self {
            streams,
            stdout_tail: Tail::default(),
            stderr_tail: Tail::default(),
            outgoing: Outgoing::default(),
            buffer: vec![0; CHUNK].into(),
        }
    }

    fn run(
        &mut self,
        session: &Session,
        channel: &mut Channel,
        watch: &Watch<'_>,
    ) -> Result<(), Fault> {
        loop {
            watch.check_limit()?;
            let moved = self.take_output(channel)? | self.give_input(channel)?;
            if channel.eof() {
                return Ok(());
            }
            // Giving input may have received output.
            if !moved && channel.read_window().available == 0 {
                let sending = self.outgoing.is_waiting() && channel.write_window().remaining > 0;
                watch.poll(&mut [session.poll_fd(sending)])?;
            }
        }
    }

    fn take_output(&mut self, channel: &Channel) -> Result<bool, Fault> {
        let count = read(channel, 0, &mut self.buffer)?;
        self.stdout_tail.push(&self.buffer[..count]);
        (self.streams.stdout.write_all(&self.buffer[..count]))
            .map_err(|error| Fault::Local { stream: "standard output", error })?;
        let moved = count > 0;

        let count = read(channel, ssh2::EXTENDED_DATA_STDERR, &mut self.buffer)?;
        self.stderr_tail.push(&self.buffer[..count]);
        (self.streams.stderr.write_all(&self.buffer[..count]))
            .map_err(|error| Fault::Local { stream: "standard error", error })?;
        Ok(moved || count > 0)
    }

    fn give_input(&mut self, channel: &mut Channel) -> Result<bool, Fault> {
        self.outgoing.fill(|buffer| {
            self.streams
                .stdin
                .read(buffer)
                .map_err(|error| Fault::Local { stream: "standard input", error })
        })?;
        self.outgoing.send(channel)
    }

    fn so_far(&self) -> String {
        tails(&self.stdout_tail, &self.stderr_tail)
    }
}

/// What is on its way to a channel's input.
///
/// libssh2 wants to be offered the same bytes at the same place until it has taken them.
pub(super) struct Outgoing {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    state: OutgoingState,
}

#[derive(PartialEq)]
enum OutgoingState {
    Open,
    Ended,
    EndSent,
}

impl Default for Outgoing {
    fn default() -> Self {
        Self { buffer: vec![0; CHUNK].into(), start: 0, end: 0, state: OutgoingState::Open }
    }
}

impl Outgoing {
    /// Whether there is something that the guest has not been sent yet.
    pub(super) fn is_waiting(&self) -> bool {
        self.start < self.end || self.state == OutgoingState::Ended
    }

    /// Whether all is sent and more may come.
    pub(super) fn wants_more(&self) -> bool {
        self.start == self.end && self.state == OutgoingState::Open
    }

    /// Reads more if all is sent. A read of nothing is the end.
    pub(super) fn fill(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> Result<usize, Fault>,
    ) -> Result<(), Fault> {
        if self.wants_more() {
            self.start = 0;
            self.end = 0;
            self.end = read(&mut self.buffer)?;
            if self.end == 0 {
                self.state = OutgoingState::Ended;
            }
        }
        Ok(())
    }

    /// Offers the channel what there is; returns whether anything moved.
    pub(super) fn send(&mut self, channel: &mut Channel) -> Result<bool, Fault> {
        if self.start < self.end {
            let count = unless_blocked(channel.write(&self.buffer[self.start..self.end]))?;
            self.start += count;
            return Ok(count > 0);
        }
        if self.state == OutgoingState::Ended
            && unless_blocked(channel.send_eof().map(|()| 1))? == 1
        {
            self.state = OutgoingState::EndSent;
            return Ok(true);
        }
        Ok(false)
    }
}

/// Reads what has come on one stream of a channel, 0 if there is nothing now.
pub(super) fn read(channel: &Channel, stream: i32, buffer: &mut [u8]) -> Result<usize, Fault> {
    unless_blocked(channel.stream(stream).read(buffer))
}

fn unless_blocked<E: Into<Fault>>(result: Result<usize, E>) -> Result<usize, Fault> {
    match result.map_err(Into::into) {
        Err(fault) if fault.would_block() => Ok(0),
        Err(Fault::Io(error)) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
        other => other,
    }
}
