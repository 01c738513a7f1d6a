//! Looking at a VM's display over VNC.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;

use super::Vm;
use super::forward::CONNECT_LIMIT;
use crate::Result;
use crate::guest::Reach as _;
use crate::utils::read_text;
use crate::virt::{Forward, VirtError, live_xml};

impl Vm {
    /// The port at which the VM's display is, on the loopback interface of its host; `None` while it is down, and without
    /// `graphics: vnc` in the init file. It may be another one after each start and each revert.
    pub fn vnc_port(&self) -> Result<Option<u16>> {
        if self.inner.vnc_password.is_none() || !self.host().is_running() || !self.alive()? {
            return Ok(None);
        }
        let port = live_xml::vnc_port(&self.live_description()?);
        Ok(port.map_err(|reason| self.not_understood(reason))?)
    }

    /// The password of the VM's display; `None` without `graphics: vnc` in the init file. Forks and capsules have the same.
    ///
    /// # Errors
    /// When the file that has it is gone.
    pub fn vnc_password(&self) -> Result<Option<String>> {
        match &self.inner.vnc_password {
            Some(path) => Ok(Some(read_text(path)?.trim_end().to_owned())),
            None => Ok(None),
        }
    }

    /// Makes the VM's display a port of this machine, for a VNC viewer: `local`, or any that is free when that is zero. It
    /// is there until what is returned is dropped. A display that has another port after a revert is found by new
    /// connections.
    ///
    /// # Errors
    /// When the VM has no display that can be looked at or is down, or the port is taken.
    pub fn forward_vnc(&self, local: u16) -> Result<Forward> {
        let vm = self.name().to_owned();
        if self.inner.vnc_password.is_none() {
            return Err(VirtError::NoDisplay { vm }.into());
        }
        let Some(port) = self.vnc_port()? else {
            let reason = "its display is there while it runs".to_owned();
            return Err(VirtError::NotRunning { vm, reason, console: String::new() }.into());
        };
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let display = self.clone();
        let dial = Arc::new(move || display.dial_vnc());
        Ok(Forward::listen(local, target, dial).map_err(|source| VirtError::Forward {
            vm,
            port,
            local,
            source,
        })?)
    }

    fn dial_vnc(&self) -> io::Result<TcpStream> {
        let port = self.vnc_port().map_err(io::Error::other)?;
        let port = port.ok_or_else(|| io::Error::other("the VM is down"))?;
        self.inner.reach.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), CONNECT_LIMIT)
    }
}
