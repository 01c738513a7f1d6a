//! Sockets of the network outside of a private host, for a command on it.
//!
//! A command on a private host reaches the guests and nothing else. Where it is to reach a machine elsewhere as well, whoever
//! starts it makes the sockets: a socket stays in the network in which it was made. The command inherits one end of a pair
//! of sockets. For each TCP socket that it wants it sends the family of the address, and with it one end of another pair,
//! through which the socket comes. So any of its threads and children can ask at any time.

use std::env;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Command;
use std::thread;
use std::time::Duration;

use rustix::net::{AddressFamily, RecvFlags};

use super::time::wait_readable;
use super::{descriptors, namespaces};

/// The environment variable that [`Prefix::enter`](crate::Prefix::enter) sets for a command on a private host that is to reach
/// machines outside of it: the descriptor that leads to its starter, who makes the sockets.
pub const OUTSIDE_VARIABLE: &str = "LAGO_OUTSIDE";

/// How long the starter may take to make a socket. It takes no time, unless it is stopped.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

const IPV4: u8 = 4;
const IPV6: u8 = 6;

/// Makes sockets for a command that is about to be started, and for its children, until all of them have ended.
pub(super) fn offer(command: &mut Command) -> io::Result<()> {
    let (ours, theirs) = descriptors::pair()?;
    let name = descriptors::inherit(command, theirs)?;
    command.env(OUTSIDE_VARIABLE, name);
    thread::Builder::new().name("outside".to_owned()).spawn(move || serve(&ours))?;
    Ok(())
}

fn serve(requests: &OwnedFd) {
    while let Ok(Some(request)) = descriptors::receive(requests.as_fd(), RecvFlags::empty()) {
        let (Some(reply), Some(family)) = (request.descriptor, family_of(request.byte)) else {
            continue;
        };
        // Who asked sees that its end is closed without a socket.
        let made = tcp_socket(family);
        if let Err(error) =
            made.and_then(|socket| descriptors::send(reply.as_fd(), 0, socket.as_fd()))
        {
            tracing::debug!("a process on a private host gets no socket: {error}");
        }
    }
}

/// A TCP socket for an address, not yet connected and not blocking, in the network outside of all private hosts whose starters
/// make sockets.
pub(super) fn tcp_socket_for(address: SocketAddr) -> io::Result<OwnedFd> {
    tcp_socket(if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 })
}

fn tcp_socket(family: AddressFamily) -> io::Result<OwnedFd> {
    let name = env::var(OUTSIDE_VARIABLE).unwrap_or_default();
    let Some(starter) = descriptors::inherited(&name) else {
        return namespaces::tcp_socket_of(family);
    };
    let (ours, theirs) = descriptors::pair()?;
    let byte = if family == AddressFamily::INET { IPV4 } else { IPV6 };
    let gone = |_| io::Error::other("the process that started this one, which makes them, is gone");
    descriptors::send(starter, byte, theirs.as_fd()).map_err(gone)?;
    drop(theirs);
    if !wait_readable(&ours, ANSWER_LIMIT) {
        let limit = ANSWER_LIMIT.as_secs();
        let message = format!("the process that started this one has made none within {limit} s");
        return Err(io::Error::new(io::ErrorKind::TimedOut, message));
    }
    let answer = descriptors::receive(ours.as_fd(), RecvFlags::DONTWAIT).map_err(gone)?;
    let socket = answer.and_then(|message| message.descriptor);
    socket.ok_or_else(|| io::Error::other("the process that started this one could make none"))
}

/// Whether whoever started this process makes sockets for it.
pub(super) fn is_offered() -> bool {
    env::var(OUTSIDE_VARIABLE).is_ok_and(|name| descriptors::inherited(&name).is_some())
}

fn family_of(byte: u8) -> Option<AddressFamily> {
    match byte {
        IPV4 => Some(AddressFamily::INET),
        IPV6 => Some(AddressFamily::INET6),
        _ => None,
    }
}
