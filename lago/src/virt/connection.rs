//! The connection to libvirt for all that a prefix does, and others for what is done for several VMs at once.

use std::panic::resume_unwind;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use virt::connect::Connect;

use super::VirtError;
use crate::host::{Host, keep_libvirt_quiet};

/// How long libvirt may take to answer a question. It takes milliseconds; a machine whose processors are all busy with
/// emulated guests, or a libvirt behind ssh, needs seconds.
pub(crate) const QUESTION_LIMIT: Duration = Duration::from_secs(30);

/// How long libvirt may take to start or stop something. It has limits of its own for QEMU, of half a minute each.
pub(crate) const CHANGE_LIMIT: Duration = Duration::from_secs(180);

/// How long to wait for the libvirtd of a private host that died. It is started again after a fraction of a second.
const RECONNECT_LIMIT: Duration = Duration::from_secs(10);

/// How long to wait between two tries of that.
const RECONNECT_INTERVAL: Duration = Duration::from_millis(50);

/// A connection that is opened when it is first needed, and again when the daemon behind it was replaced.
#[derive(Debug)]
pub(crate) struct Connection {
    host: Host,
    open: Mutex<Option<Connect>>,
}

impl Connection {
    pub(crate) fn new(host: Host) -> Self {
        Self { host, open: Mutex::new(None) }
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// Calls libvirt. Its calls wait for ever for a daemon that hangs, so a thread makes them, which is given up when
    /// the limit passes.
    pub(crate) fn call<T: Send + 'static>(
        self: &Arc<Self>,
        limit: Duration,
        call: impl FnOnce(&Connect) -> T + Send + 'static,
    ) -> Result<T, VirtError> {
        self.call_over(limit, Self::get, call)
    }

    /// As [`Self::call`], over a connection of its own, for what takes long and is done for several VMs at once: libvirt sometimes
    /// does one after the other what comes over one connection (two starts of ten, with 9.0).
    pub(crate) fn call_apart<T: Send + 'static>(
        self: &Arc<Self>,
        limit: Duration,
        call: impl FnOnce(&Connect) -> T + Send + 'static,
    ) -> Result<T, VirtError> {
        self.call_over(limit, Self::open, call)
    }

    fn call_over<T: Send + 'static>(
        self: &Arc<Self>,
        limit: Duration,
        connect: fn(&Self) -> Result<Connect, VirtError>,
        call: impl FnOnce(&Connect) -> T + Send + 'static,
    ) -> Result<T, VirtError> {
        let (sender, receiver) = mpsc::channel();
        let connection = Arc::clone(self);
        let caller = thread::spawn(move || {
            // Nobody listens any more once the limit has passed.
            let _ = sender.send(connect(&connection).map(|connect| call(&connect)));
        });
        match receiver.recv_timeout(limit) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => Err(VirtError::NoAnswer { limit }),
            Err(RecvTimeoutError::Disconnected) => match caller.join() {
                Err(panic) => resume_unwind(panic),
                Ok(()) => unreachable!("the thread has ended without an answer or a panic"),
            },
        }
    }

    /// The open connection. libvirt's connections may be used by many threads at once.
    fn get(&self) -> Result<Connect, VirtError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connect) = open.as_ref().filter(|connect| answers(connect)) {
            return Ok(connect.clone());
        }
        let connect = self.open()?;
        *open = Some(connect.clone());
        Ok(connect)
    }

    /// A private host starts its libvirtd again when that has died, so a little patience helps there.
    fn open(&self) -> Result<Connect, VirtError> {
        keep_libvirt_quiet();
        let started = Instant::now();
        loop {
            let uri = self.host.libvirt_uri()?;
            let source = match Connect::open(Some(&uri)) {
                Ok(connect) => return Ok(connect),
                Err(source) => source,
            };
            if !self.host.is_private() || started.elapsed() > RECONNECT_LIMIT {
                return Err(VirtError::Connect { uri, message: source.message().to_owned() });
            }
            thread::sleep(RECONNECT_INTERVAL);
        }
    }

    /// Forgets the open connection, because the host behind it is gone. While that still hangs, closing would wait
    /// for it.
    pub(crate) fn close(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Whether the daemon still answers. That it is gone shows only when it is asked for something.
fn answers(connect: &Connect) -> bool {
    connect.is_alive().unwrap_or(false) && connect.lib_version().is_ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_libvirt_that_hangs_is_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("libvirt-sock");
        // Connections are taken by the kernel; nobody ever reads from them.
        let _listener = UnixListener::bind(&socket).unwrap();
        let uri = format!("qemu:///system?socket={}", socket.display());
        let connection = Arc::new(Connection::new(Host::uri(uri)));
        let limit = Duration::from_millis(200);
        let started = Instant::now();
        let error = connection.call(limit, |_| ()).unwrap_err();
        assert!(matches!(error, VirtError::NoAnswer { .. }), "{error}");
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn nobody_at_the_address_is_said() {
        let connection = Arc::new(Connection::new(Host::uri("qemu:///system?socket=/nonexistent")));
        let error = connection.call(QUESTION_LIMIT, |_| ()).unwrap_err();
        assert!(error.to_string().contains("/nonexistent"), "{error}");
    }
}
