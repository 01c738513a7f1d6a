//! A port of a VM as one of this machine's loopback interface.

mod relay;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use relay::Relays;

/// How a connection to the port in the guest is made.
pub(crate) type Dial = Arc<dyn Fn() -> io::Result<TcpStream> + Send + Sync>;

/// A port of a VM that can be used on this machine, at an address of the loopback interface: whatever connects to that is
/// connected to the VM's port.
///
/// It lasts until it is dropped. Then its connections end too. A VM that is started anew or put back meanwhile is reached
/// all the same, by new connections.
#[must_use = "the port is closed when this is dropped"]
pub struct Forward {
    address: SocketAddr,
    target: SocketAddr,
    relays: Arc<Relays>,
    /// Its end tells the thread that accepts connections to end.
    stop: Option<OwnedFd>,
    accepting: Option<JoinHandle<()>>,
}

impl Forward {
    /// Listens on this port of the loopback interface, or on any that is free when it is zero.
    pub(crate) fn listen(port: u16, target: SocketAddr, dial: Dial) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        // Somebody who connects and goes away at once must not make the next `accept` wait.
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stopped, stop) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let relays = Arc::new(Relays::new(dial));
        let accepting = thread::Builder::new().name("forward".to_owned()).spawn({
            let relays = Arc::clone(&relays);
            move || accept(&listener, &stopped, &relays)
        })?;
        Ok(Self { address, target, relays, stop: Some(stop), accepting: Some(accepting) })
    }

    /// Where the port is on this machine.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port on this machine.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Where connections go: the VM's address in its network.
    pub fn target(&self) -> SocketAddr {
        self.target
    }
}

impl fmt::Debug for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forward")
            .field("address", &self.address)
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.accepting.take().map(JoinHandle::join);
        if ended.is_some_and(|ended| ended.is_err()) {
            tracing::warn!("the thread that accepted connections to {} has died", self.address);
        }
        self.relays.end_all();
    }
}

/// Takes connections until `stopped` is at its end.
fn accept(listener: &TcpListener, stopped: &OwnedFd, relays: &Arc<Relays>) {
    loop {
        let mut fds = [
            PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(stopped.as_fd(), PollFlags::IN),
        ];
        match poll(&mut fds, None) {
            Ok(_) if !fds[1].revents().is_empty() => return,
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => {
                tracing::warn!("no more connections are taken: {error}");
                return;
            }
        }
        match listener.accept() {
            Ok((client, from)) => relays.begin(client, from),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                tracing::warn!("cannot take a connection: {error}");
                // Too many open files, most likely, which does not get better by trying at once.
                thread::sleep(relay::PAUSE);
            }
        }
    }
}

#[cfg(test)]
mod tests;
