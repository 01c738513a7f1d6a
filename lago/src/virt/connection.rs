//! One connection to libvirt for all that a prefix does.

use std::sync::{Mutex, PoisonError};

use virt::connect::Connect;

use super::VirtError;
use crate::host::Host;

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

    /// The open connection. libvirt's connections may be used by many threads at once.
    pub(crate) fn get(&self) -> Result<Connect, VirtError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connect) = open.as_ref().filter(|connect| connect.is_alive().unwrap_or(false)) {
            return Ok(connect.clone());
        }
        let connect = self.host.open_libvirt()?;
        *open = Some(connect.clone());
        Ok(connect)
    }

    /// Forgets the open connection, because the host behind it is going away.
    pub(crate) fn close(&self) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
