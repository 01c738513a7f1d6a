//! TCP connections with a limit.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;

use super::time::{Deadline, timespec};

/// Connects a socket that does not block; the stream that comes back does.
pub(super) fn connect(
    socket: OwnedFd,
    address: SocketAddr,
    limit: Duration,
) -> io::Result<TcpStream> {
    let deadline = Deadline::after(limit);
    match rustix::net::connect(&socket, &address) {
        Ok(()) => {}
        Err(Errno::INPROGRESS | Errno::INTR) => {
            wait_for_result(&socket, deadline).map_err(|error| named_limit(error, limit))?;
            rustix::net::sockopt::socket_error(&socket)??;
        }
        Err(error) => return Err(error.into()),
    }
    let stream = TcpStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

fn wait_for_result(socket: &OwnedFd, deadline: Deadline) -> io::Result<()> {
    let mut fds = [PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::OUT)];
    loop {
        match rustix::event::poll(&mut fds, Some(&timespec(deadline.left()))) {
            Ok(0) if deadline.passed() => return Err(io::ErrorKind::TimedOut.into()),
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

fn named_limit(error: io::Error, limit: Duration) -> io::Error {
    match error.kind() {
        io::ErrorKind::TimedOut => {
            io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {limit:?}"))
        }
        _ => error,
    }
}
