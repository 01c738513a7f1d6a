//! Asking a guest to go down or to start anew, and cutting its power.

use std::time::{Duration, Instant};

use virt::domain::Domain;
use virt::error::Error;
use virt::sys;

use super::{Vm, VmState};
use crate::guest::{Cmd, GuestError};
use crate::utils::{Probe, error_chain, wait_until};
use crate::virt::VirtError;
use crate::{Result, cmd};

/// How long to wait between two looks at a guest that goes down or comes up.
const INTERVAL: Duration = Duration::from_millis(200);

/// How long one look may take: a new ssh session takes two seconds in an emulated guest that is busy booting.
const LOOK_LIMIT: Duration = Duration::from_secs(10);

/// Where Linux tells one boot from another.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// How a guest is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By its agent.
    Agent,
    /// By the power button.
    Acpi,
}

impl Vm {
    /// Asks the guest to power off, through its agent or else by the power button, and waits until it is down. One that is
    /// down already is left alone.
    ///
    /// # Errors
    /// When it still runs after `limit`: it is left so, and [`Self::stop`] pulls the plug.
    pub fn shutdown(&self, limit: Duration) -> Result<()> {
        if self.is_remote() || !self.alive()? {
            return Ok(());
        }
        let _span = tracing::info_span!("shut down", vm = self.name()).entered();
        let way = self.way();
        let flag = match way {
            Way::Agent => sys::VIR_DOMAIN_SHUTDOWN_GUEST_AGENT,
            Way::Acpi => sys::VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN,
        };
        self.tell("shut down", way, move |domain| domain.shutdown_flags(flag))?;
        let what = format!("VM {} to power off ({})", self.name(), way.what_was_done());
        wait_until(what, limit, INTERVAL, || match self.state()? {
            VmState::Down => Ok(Probe::Done(())),
            state => Ok(Probe::NotYet(format!(
                "it is {state}; `lago stop {}` pulls the plug",
                self.name()
            ))),
        })
    }

    /// Has the guest start anew, through its agent or else by the power button, and waits until it answers again. That it
    /// is another boot is known by the kernel's boot id.
    ///
    /// # Errors
    /// When the guest cannot be asked for its boot id before, when it has not come back after `limit`, or stays down.
    pub fn reboot(&self, limit: Duration) -> Result<()> {
        let _span = tracing::info_span!("reboot", vm = self.name()).entered();
        self.require_virtual("be started anew")?;
        self.require_running()?;
        let began = Instant::now();
        let way = self.way();
        let before = self.boot_id(way)?;
        let flag = match way {
            Way::Agent => sys::VIR_DOMAIN_REBOOT_GUEST_AGENT,
            Way::Acpi => sys::VIR_DOMAIN_REBOOT_ACPI_POWER_BTN,
        };
        self.tell("reboot", way, move |domain| domain.reboot(flag))?;
        let what = format!("VM {} to come back ({})", self.name(), way.what_was_done());
        wait_until(what, limit, INTERVAL, || match self.boot_id(way) {
            Ok(now) if now != before => Ok(Probe::Done(())),
            Ok(_) => Ok(Probe::NotYet("it has not gone down yet".to_owned())),
            Err(error) if self.alive()? => Ok(Probe::NotYet(error_chain(&error))),
            Err(error) => Err(error),
        })?;
        if self.spec().bootstrap {
            self.inner.ssh.wait(limit.saturating_sub(began.elapsed()))?;
        }
        Ok(())
    }

    /// Cuts the power, as the fault that a test is about: what the guest had not written yet is lost. Unlike
    /// [`Self::stop`], a VM that is down already is an error.
    pub fn crash(&self) -> Result<(), VirtError> {
        self.inner.ssh.forget_sessions();
        tracing::info!(vm = self.name(), "cutting the power");
        self.change("crash", Domain::destroy)
    }

    /// Gives the guest a non-maskable interrupt. Linux panics upon it if `kernel.unknown_nmi_panic` is set, and writes
    /// a line otherwise.
    pub fn inject_nmi(&self) -> Result<(), VirtError> {
        const COMMAND: &str = r#"{"execute":"inject-nmi"}"#;
        self.change("send an NMI to", |domain| domain.qemu_monitor_command(COMMAND, 0).map(drop))
    }

    /// The agent, if there is one: it needs no daemon that listens to the power button.
    fn way(&self) -> Way {
        if self.inner.agent.ping().is_ok() { Way::Agent } else { Way::Acpi }
    }

    fn tell(
        &self,
        action: &'static str,
        way: Way,
        change: impl FnOnce(&Domain) -> Result<(), Error> + Send + 'static,
    ) -> Result<(), VirtError> {
        tracing::debug!(vm = self.name(), "{action}: {}", way.what_was_done());
        self.change(action, change)?;
        self.inner.ssh.forget_sessions();
        Ok(())
    }

    /// Asks the guest which boot it is in. A session that was opened before is of no use when it has gone down since.
    fn boot_id(&self, way: Way) -> Result<String> {
        if way == Way::Agent {
            let answer = self.inner.agent.exec("cat", &[BOOT_ID], LOOK_LIMIT)?;
            if answer.code != Some(0) {
                let detail = String::from_utf8_lossy(&answer.stderr).trim().to_owned();
                let vm = self.name().to_owned();
                return Err(GuestError::Content { vm, path: BOOT_ID, detail }.into());
            }
            return Ok(String::from_utf8_lossy(&answer.stdout).trim().to_owned());
        }
        self.inner.ssh.forget_sessions();
        let command: Cmd = cmd!("cat", BOOT_ID).limit(LOOK_LIMIT);
        Ok(self.inner.ssh.run(&command)?.stdout().trim().to_owned())
    }
}

impl Way {
    fn what_was_done(self) -> &'static str {
        match self {
            Self::Agent => "the guest agent was asked",
            Self::Acpi => "the power button was pressed, as no guest agent answers",
        }
    }
}
