//! What goes on between the two ends of connections.

use std::collections::HashMap;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::Dial;

/// How many connections there may be at a time. Each takes two threads.
pub(super) const MOST: usize = 256;

/// How long to wait when nothing more can be had for the moment.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

/// The connections of one forwarded port.
pub(super) struct Relays {
    dial: Dial,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    ended: bool,
    next: u64,
    /// Both ends of each connection, to close them; the guest's once it is there.
    streams: HashMap<u64, Vec<TcpStream>>,
}

impl Relays {
    pub(super) fn new(dial: Dial) -> Self {
        Self { dial, open: Mutex::default() }
    }

    /// Connects a client with the guest, on threads of its own. One that cannot be is closed.
    pub(super) fn begin(self: &Arc<Self>, client: TcpStream, from: SocketAddr) {
        let begun = self.register(&client).and_then(|id| {
            let relays = Arc::clone(self);
            thread::Builder::new().name("forward".to_owned()).spawn(move || {
                if let Err(error) = relays.serve(id, client) {
                    tracing::warn!("the connection from {from} is closed: {error}");
                }
                relays.lock().streams.remove(&id);
            })
        });
        if let Err(error) = begun {
            tracing::warn!("the connection from {from} is refused: {error}");
        }
    }

    /// Closes all connections, and all that are on their way.
    pub(super) fn end_all(&self) {
        let mut open = self.lock();
        open.ended = true;
        for stream in open.streams.values().flatten() {
            // One that the other side has closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.lock().streams.len()
    }

    fn register(&self, client: &TcpStream) -> io::Result<u64> {
        client.set_nonblocking(false)?;
        let mut open = self.lock();
        if open.streams.len() >= MOST {
            return Err(io::Error::other(format!("there are {MOST} already")));
        }
        let id = open.next;
        open.next += 1;
        open.streams.insert(id, vec![client.try_clone()?]);
        Ok(id)
    }

    fn serve(&self, id: u64, client: TcpStream) -> io::Result<()> {
        let guest = (self.dial)()?;
        {
            let mut open = self.lock();
            let Some(streams) = open.streams.get_mut(&id) else { return Ok(()) };
            streams.push(guest.try_clone()?);
            if open.ended {
                return Ok(());
            }
        }
        let (to_guest, to_client) = (guest.try_clone()?, client.try_clone()?);
        thread::scope(|scope| {
            scope.spawn(|| pass_on(client, to_guest));
            pass_on(guest, to_client);
        });
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Passes on what one side says until it has said all, and then tells the other side so. A side that breaks ends both.
fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    let how = match io::copy(&mut from, &mut to) {
        Ok(_) => Shutdown::Write,
        Err(_) => Shutdown::Both,
    };
    // It may have gone already.
    let _ = to.shutdown(how);
    if how == Shutdown::Both {
        let _ = from.shutdown(how);
    }
}
