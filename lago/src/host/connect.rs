//! TCP connections with a limit.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;

use super::HostError;
use super::time::{Deadline, timespec};

/// After how long another connection is tried beside those that are still unanswered.
///
/// The kernel asks again after a whole second. The first question to a guest that starts is lost as a rule: the DHCP
/// server tells the kernel the guest's hardware address with its offer, and what has waited for that is sent at once, to a
/// guest that does not have the address yet.
const NEXT_TRY: Duration = Duration::from_millis(200);

/// How many connections to a guest are tried beside one another: by then the kernel asks again for the first.
pub(super) const TRIES_OF_GUEST: usize = 5;

/// Connects sockets that do not block, one beside the other, and takes the first that is answered; the stream blocks.
pub(super) fn connect(
    new_socket: impl Fn() -> Result<OwnedFd, HostError>,
    address: SocketAddr,
    most_tries: usize,
    limit: Duration,
) -> Result<TcpStream, HostError> {
    let failed = |source: io::Error| HostError::Connect { address, source };
    let deadline = Deadline::after(limit);
    let mut sockets = Vec::new();
    loop {
        let next = if sockets.len() < most_tries { Some(new_socket()) } else { None };
        match next {
            // Those that are on their way may be answered yet.
            Some(Err(error)) if sockets.is_empty() => return Err(error),
            None | Some(Err(_)) => {}
            Some(Ok(socket)) => match rustix::net::connect(&socket, &address) {
                Ok(()) => return into_stream(socket).map_err(failed),
                Err(Errno::INPROGRESS | Errno::INTR) => sockets.push(socket),
                Err(error) => return Err(failed(error.into())),
            },
        }
        let answered = first_answered(&sockets, deadline.left().min(NEXT_TRY)).map_err(failed)?;
        if let Some(position) = answered {
            let socket = sockets.swap_remove(position);
            let result = rustix::net::sockopt::socket_error(&socket).and_then(|result| result);
            return result
                .map_err(io::Error::from)
                .and_then(|()| into_stream(socket))
                .map_err(failed);
        }
        if deadline.passed() {
            let message = format!("no answer within {limit:?}");
            return Err(failed(io::Error::new(io::ErrorKind::TimedOut, message)));
        }
    }
}

fn into_stream(socket: OwnedFd) -> io::Result<TcpStream> {
    let stream = TcpStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// Which of the sockets has an answer, of whatever kind, within the limit.
fn first_answered(sockets: &[OwnedFd], limit: Duration) -> io::Result<Option<usize>> {
    let deadline = Deadline::after(limit);
    let mut fds: Vec<_> = sockets
        .iter()
        .map(|socket| PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::OUT))
        .collect();
    loop {
        match rustix::event::poll(&mut fds, Some(&timespec(deadline.left()))) {
            Ok(0) if deadline.passed() => return Ok(None),
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(fds.iter().position(|fd| !fd.revents().is_empty())),
            Err(error) => return Err(error.into()),
        }
    }
}
