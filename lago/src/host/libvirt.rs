//! Does libvirt answer?

use std::sync::{Once, mpsc};
use std::thread;
use std::time::Duration;

use virt::connect::Connect;

/// Asks libvirt at `uri` for a connection; `None` while there is no answer, else what it said.
///
/// libvirt's call has no limit, so a thread waits for it. It ends with the answer, or with the process.
pub(super) struct Question(mpsc::Receiver<Result<(), String>>);

impl Question {
    pub(super) fn ask(uri: &str) -> Self {
        keep_libvirt_quiet();
        let (sender, receiver) = mpsc::channel();
        let uri = uri.to_owned();
        thread::spawn(move || {
            let answer =
                Connect::open(Some(&uri)).map(drop).map_err(|error| error.message().to_owned());
            // The receiver is gone when the limit has passed.
            let _ = sender.send(answer);
        });
        Self(receiver)
    }

    pub(super) fn answer(&self, limit: Duration) -> Option<Result<(), String>> {
        match self.0.recv_timeout(limit) {
            Ok(answer) => Some(answer),
            Err(mpsc::RecvTimeoutError::Timeout) => None,
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                Some(Err("the thread that asked has died".to_owned()))
            }
        }
    }
}

/// libvirt prints every error to standard error unless told not to; here they are values.
pub(crate) fn keep_libvirt_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(virt::error::clear_error_callback);
}
