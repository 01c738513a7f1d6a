//! Powering a VM on and off, and holding it still.

use std::fmt;
use std::time::Duration;

use virt::domain::{
    Domain, DomainPausedReason, DomainState, DomainStateReason, DomainStateReasonEnum,
};
use virt::enumutil::Enum;
use virt::error::ErrorNumber;

use super::Vm;
use crate::Result;
use crate::virt::VirtError;
use crate::virt::connection::{CHANGE_LIMIT, QUESTION_LIMIT};
use crate::virt::domain_xml::{DomainDescription, VncDisplay};

/// What a VM is doing, in libvirt's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VmState {
    /// Its processors run.
    Running,
    /// It is there, but stands still.
    Paused,
    /// It is on its way down.
    #[serde(rename = "in shutdown")]
    ShuttingDown,
    /// It has crashed.
    Crashed,
    /// It is not there.
    Down,
}

impl fmt::Display for VmState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::ShuttingDown => "in shutdown",
            Self::Crashed => "crashed",
            Self::Down => "down",
        })
    }
}

impl From<virt::domain::DomainStateEnum> for VmState {
    fn from(state: virt::domain::DomainStateEnum) -> Self {
        match state.known() {
            Some(DomainState::Paused | DomainState::PMSuspended) => Self::Paused,
            Some(DomainState::Shutdown) => Self::ShuttingDown,
            Some(DomainState::Shutoff) => Self::Down,
            Some(DomainState::Crashed) => Self::Crashed,
            _ => Self::Running,
        }
    }
}

/// Why a VM stands still that [`is_io_error`] is about.
pub(in crate::virt) const IO_ERROR: &str = "one of its disks could not be written or read, and QEMU holds it still; the disk \
     of this machine that its images are on may be full";

/// Whether QEMU has paused a domain because of an error of a disk.
pub(in crate::virt) fn is_io_error(reason: DomainStateReasonEnum) -> bool {
    let Enum::Known(DomainStateReason::Paused(reason)) = reason else { return false };
    reason.known() == Some(DomainPausedReason::IOError)
}

impl Vm {
    /// Whether the VM stands still because one of its disks could not be written or read, as it is when the disk of this
    /// machine that holds its images is full. Once there is room, [`resume`](Self::resume) lets it go on as if nothing had
    /// happened.
    pub fn is_paused_by_io_error(&self) -> Result<bool, VirtError> {
        if self.is_remote() {
            return Ok(false);
        }
        match self.ask(QUESTION_LIMIT, Domain::state)? {
            Ok((_, reason)) => Ok(is_io_error(reason)),
            Err(e) if e.code().is(ErrorNumber::NoDomain) => Ok(false),
            Err(e) => Err(self.error("look at", &e)),
        }
    }

    /// What the VM is doing.
    pub fn state(&self) -> Result<VmState, VirtError> {
        self.state_within(QUESTION_LIMIT)
    }

    /// As [`Self::state`], for who does not wait so long for a libvirt that hangs.
    pub(crate) fn state_within(&self, limit: Duration) -> Result<VmState, VirtError> {
        if self.is_remote() {
            return Ok(self.remote_state());
        }
        match self.ask(limit, Domain::state)? {
            Ok((state, _)) => Ok(state.into()),
            Err(e) if e.code().is(ErrorNumber::NoDomain) => Ok(VmState::Down),
            Err(e) => Err(self.error("look at", &e)),
        }
    }

    /// Whether the VM is there, running or paused.
    pub fn alive(&self) -> Result<bool, VirtError> {
        Ok(!matches!(self.state()?, VmState::Down | VmState::Crashed))
    }

    /// Powers the VM on; one that is up already is left alone. Returns at power-on: [`Self::wait_for_ssh`] waits
    /// for the guest.
    pub fn start(&self) -> Result<()> {
        if self.is_remote() || self.alive()? {
            return Ok(());
        }
        let _span = tracing::info_span!("start", vm = self.name()).entered();
        tracing::info!("powering on");
        let xml = self.current_description()?.to_xml();
        self.inner
            .connection
            .call_apart(CHANGE_LIMIT, move |connect| connect.create_domain_xml(&xml, 0).map(drop))?
            .map_err(|e| self.error("start", &e))?;
        Ok(())
    }

    /// What the VM is when it starts now, with all that it has been given.
    pub(crate) fn current_description(&self) -> Result<DomainDescription> {
        let mut description = DomainDescription {
            disks: self.current_disks()?,
            vnc: self.vnc_password()?.map(|password| VncDisplay { password }),
            ..self.inner.description.clone()
        };
        let attached = self.inner.devices.attached_nics()?;
        description.nics.extend(attached.into_iter().map(|nic| nic.device));
        Ok(description)
    }

    /// Pulls the plug; a VM that is down already is left alone.
    pub fn stop(&self) -> Result<(), VirtError> {
        self.inner.ssh.forget_sessions();
        if self.is_remote() || self.state()? == VmState::Down {
            return Ok(());
        }
        tracing::info!(vm = self.name(), "powering off");
        match self.ask(CHANGE_LIMIT, Domain::destroy)? {
            Ok(()) => Ok(()),
            Err(e) if e.code().is(ErrorNumber::NoDomain) => Ok(()),
            Err(e) => Err(self.error("stop", &e)),
        }
    }

    /// Makes the VM stand still; one that does is left alone. Nothing in the guest notices, until [`Self::resume`].
    pub fn pause(&self) -> Result<(), VirtError> {
        self.pause_within(CHANGE_LIMIT)
    }

    /// As [`Self::pause`], for who does not wait so long for a libvirt that hangs.
    pub(crate) fn pause_within(&self, limit: Duration) -> Result<(), VirtError> {
        self.change_within(limit, "pause", Domain::suspend)
    }

    /// Lets the VM run on; one that runs is left alone.
    pub fn resume(&self) -> Result<(), VirtError> {
        if self.state()? == VmState::Running {
            return Ok(());
        }
        self.change("resume", Domain::resume)
    }
}
