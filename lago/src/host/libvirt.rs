//! Connections to libvirt that do not hang.
//!
//! libvirt's own calls have no limit. Opening is done by a thread, so that the caller can give up; afterwards the
//! connection's keep-alive messages tell a daemon that has hung from one that is busy, and end all calls to it.

use std::sync::{Once, mpsc};
use std::thread;
use std::time::Duration;

use virt::connect::Connect;
use virt::event::{event_register_default_impl, event_run_default_impl};

/// How often a silent daemon is asked whether it is there, in seconds.
const KEEP_ALIVE_INTERVAL: i32 = 5;

/// How many of these questions may go unanswered. libvirtd answers them whatever it is busy with, so after these 20
/// seconds it hangs.
const KEEP_ALIVE_COUNT: u32 = 3;

/// How long the event loop rests after a failure, so that one that goes on does not eat a processor.
const EVENT_LOOP_REST: Duration = Duration::from_millis(100);

/// A connection that is being opened.
///
/// The thread that opens it ends with the answer, or with the process.
pub(crate) struct Opening(mpsc::Receiver<Result<Connect, String>>);

impl Opening {
    pub(crate) fn start(uri: &str) -> Self {
        prepare();
        let (sender, receiver) = mpsc::channel();
        let uri = uri.to_owned();
        thread::spawn(move || {
            // The receiver is gone when the limit has passed.
            let _ = sender.send(open(&uri));
        });
        Self(receiver)
    }

    /// The connection, or what libvirt said instead; `None` when there is no answer within the limit.
    pub(crate) fn answer(&self, limit: Duration) -> Option<Result<Connect, String>> {
        match self.0.recv_timeout(limit) {
            Ok(answer) => Some(answer),
            Err(mpsc::RecvTimeoutError::Timeout) => None,
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                Some(Err("the thread that opened it has died".to_owned()))
            }
        }
    }
}

fn open(uri: &str) -> Result<Connect, String> {
    let connect = Connect::open(Some(uri)).map_err(|error| error.message().to_owned())?;
    if let Err(error) = connect.set_keep_alive(KEEP_ALIVE_INTERVAL, KEEP_ALIVE_COUNT) {
        // Drivers without a daemon, such as libvirt's own test driver, cannot hang either.
        tracing::debug!("no keep-alive with {uri}: {}", error.message());
    }
    Ok(connect)
}

/// Once a process, before its first connection: the loop that keep-alive needs, and no errors on standard error.
fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        virt::error::clear_error_callback();
        match event_register_default_impl() {
            Ok(()) => drop(thread::spawn(run_events)),
            Err(error) => tracing::warn!("libvirt has no event loop: {}", error.message()),
        }
    });
}

fn run_events() {
    loop {
        if event_run_default_impl().is_err() {
            thread::sleep(EVENT_LOOP_REST);
        }
    }
}
