//! Signals while a terminal is in raw mode, where their default action would leave it so.

use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::SigId;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH};
use signal_hook::low_level::{pipe, unregister};

/// What asks a program to end.
const ENDING: [i32; 4] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];

/// Makes signals readable from a descriptor until it is dropped.
pub(super) struct Signals {
    receiver: UnixStream,
    ending: Arc<AtomicBool>,
    registered: Vec<SigId>,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        let (receiver, sender) = UnixStream::pair()?;
        receiver.set_nonblocking(true)?;
        let mut signals = Self { receiver, ending: Arc::default(), registered: Vec::new() };
        for signal in ENDING {
            let flag = signal_hook::flag::register(signal, Arc::clone(&signals.ending))?;
            signals.registered.push(flag);
        }
        for signal in ENDING.into_iter().chain([SIGWINCH]) {
            signals.registered.push(pipe::register(signal, sender.try_clone()?)?);
        }
        Ok(signals)
    }

    /// Readable after a signal.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.receiver.as_fd()
    }

    /// Forgets the signals that made the descriptor readable, but not that one of them asked to end.
    pub(super) fn clear(&mut self) {
        // It would block once it is empty, which is what is wanted.
        while matches!(self.receiver.read(&mut [0; 64]), Ok(1..)) {}
    }

    pub(super) fn asked_to_end(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for id in self.registered.drain(..) {
            unregister(id);
        }
    }
}
