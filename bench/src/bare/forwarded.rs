//! The ssh server of a guest behind QEMU's port forwarding.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use lago::guest::{Reach, console};

/// How often a new connection is tried while earlier ones wait for the server's greeting. QEMU accepts a connection
/// long before its guest can, and sends a lost one again only after seconds, so a single one would flatter lago.
const TRY_INTERVAL: Duration = Duration::from_millis(500);

/// How many connections wait at once. Each has four seconds, for a server that is slow to greet under emulation.
const WAITING: usize = 8;

/// A guest behind QEMU's port forwarding.
pub(super) struct Forwarded {
    process: Arc<Mutex<Child>>,
    console_log: PathBuf,
    /// Connections on which nothing has come yet, the oldest first.
    waiting: Mutex<Vec<TcpStream>>,
}

impl Forwarded {
    pub(super) fn new(process: Arc<Mutex<Child>>, console_log: PathBuf) -> Self {
        Self { process, console_log, waiting: Mutex::default() }
    }
}

impl Reach for Forwarded {
    /// A connection on which the server has greeted: before that, it may be with QEMU alone.
    fn connect(&self, address: SocketAddr, limit: Duration) -> io::Result<TcpStream> {
        let end = Instant::now() + limit;
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while Instant::now() < end {
            if waiting.len() == WAITING {
                waiting.remove(0);
            }
            waiting.extend(TcpStream::connect_timeout(&address, TRY_INTERVAL));
            if let Some(stream) = greeted(&mut waiting, Instant::now() + TRY_INTERVAL)? {
                waiting.clear();
                return Ok(stream);
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    fn gone(&self) -> Option<String> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.try_wait().ok().flatten().map(|status| format!("QEMU ended with {status}"))
    }

    fn console_tail(&self) -> String {
        console::tail(&self.console_log)
    }
}

/// The first connection on which something arrives before `end`. Those that are closed are dropped.
fn greeted(waiting: &mut Vec<TcpStream>, end: Instant) -> io::Result<Option<TcpStream>> {
    /// How often to look.
    const INTERVAL: Duration = Duration::from_millis(5);
    while Instant::now() < end {
        for index in (0..waiting.len()).rev() {
            waiting[index].set_nonblocking(true)?;
            match waiting[index].peek(&mut [0]) {
                Ok(1..) => {
                    let stream = waiting.remove(index);
                    stream.set_nonblocking(false)?;
                    return Ok(Some(stream));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(0) | Err(_) => drop(waiting.remove(index)),
            }
        }
        thread::sleep(INTERVAL);
    }
    Ok(None)
}
