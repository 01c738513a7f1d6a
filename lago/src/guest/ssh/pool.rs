//! Idle sessions.

use std::sync::{Mutex, PoisonError};

use super::session::Session;

/// How many idle sessions are kept: enough for the threads that usually talk to one guest, few enough for a small guest.
const IDLE_SESSIONS: usize = 4;

#[derive(Default)]
pub(super) struct Pool {
    idle: Mutex<Vec<Session>>,
}

impl Pool {
    /// The session that was used last, if it still looks alive.
    pub(super) fn take(&self) -> Option<Session> {
        loop {
            let session = self.lock().pop()?;
            if session.looks_alive() {
                return Some(session);
            }
        }
    }

    pub(super) fn put(&self, session: Session) {
        let mut idle = self.lock();
        if idle.len() < IDLE_SESSIONS {
            idle.push(session);
        }
    }

    pub(super) fn clear(&self) {
        let closing = std::mem::take(&mut *self.lock());
        drop(closing);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Session>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
