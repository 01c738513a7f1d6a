//! Ports of a VM on this machine.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::Vm;
use crate::Result;
use crate::virt::{Forward, VirtError};

/// How long the guest may take to accept a connection: as long as a person waits for a browser.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(10);

impl Vm {
    /// Makes a TCP port of the guest a port of this machine, for browsers and programs that are outside of the VM's
    /// network. The port, on the loopback interface, is one that is free; it is there until what is returned is dropped.
    ///
    /// ```no_run
    /// # fn main() -> lago::Result<()> {
    /// let prefix = lago::Prefix::open("prefix")?;
    /// let web = prefix.vm("server")?.forward(443)?;
    /// println!("https://{}/", web.address());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the VM does not run. That nothing listens in the guest shows when somebody connects.
    pub fn forward(&self, port: u16) -> Result<Forward> {
        self.forward_on(port, 0)
    }

    /// As [`forward`](Self::forward), with the port `local` on this machine.
    ///
    /// # Errors
    /// Also when that port is taken.
    pub fn forward_on(&self, port: u16, local: u16) -> Result<Forward> {
        self.require_running()?;
        let target = SocketAddr::from((self.ip(), port));
        let reach = Arc::clone(&self.inner.way);
        let dial = Arc::new(move || reach.connect(target, CONNECT_LIMIT));
        Ok(Forward::listen(local, target, dial).map_err(|source| VirtError::Forward {
            vm: self.name().to_owned(),
            port,
            local,
            source,
        })?)
    }
}
