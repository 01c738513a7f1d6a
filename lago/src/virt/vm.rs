//! One virtual machine of an environment.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use virt::domain::{Domain, DomainState};
use virt::error::ErrorNumber;

use super::VirtError;
use super::connection::{CHANGE_LIMIT, Connection, QUESTION_LIMIT};
use super::domain_xml::{DiskDevice, DomainDescription};
use super::reach::VmReach;
use crate::Result;
use crate::guest::{Agent, Cmd, GuestStatus, Output, Ssh, Terminal, console};
use crate::spec;

/// A virtual machine: what the init file says of it, its domain, and the way into its guest.
///
/// Cheap to clone; clones share the open ssh sessions.
#[derive(Clone)]
pub struct Vm {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    spec: spec::Domain,
    plan: spec::PlannedVm,
    description: DomainDescription,
    disks: Box<dyn CurrentDisks>,
    connection: Arc<Connection>,
    reach: Arc<VmReach>,
    ssh: Ssh,
    agent: Agent,
}

/// What a VM is made of.
pub(crate) struct VmParts {
    pub(crate) spec: spec::Domain,
    pub(crate) plan: spec::PlannedVm,
    /// Its disks come from `disks` whenever it starts.
    pub(crate) description: DomainDescription,
    pub(crate) disks: Box<dyn CurrentDisks>,
    pub(crate) connection: Arc<Connection>,
    pub(crate) reach: Arc<VmReach>,
    pub(crate) ssh: Ssh,
}

/// The disks that a VM has. They change with every snapshot, so they are asked for when they are needed.
pub(crate) trait CurrentDisks: Send + Sync {
    /// The disks to start with now.
    fn current(&self) -> Result<Vec<DiskDevice>>;
}

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

impl Vm {
    pub(crate) fn new(parts: VmParts) -> Self {
        let VmParts { spec, plan, description, disks, connection, reach, ssh } = parts;
        let name = plan.name.clone();
        let agent = Agent::new(name.clone(), reach.clone());
        Self {
            inner: Arc::new(Inner {
                name,
                spec,
                plan,
                description,
                disks,
                connection,
                reach,
                ssh,
                agent,
            }),
        }
    }

    /// The name in the init file, which is the guest's host name too.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The address on the management network.
    pub fn ip(&self) -> IpAddr {
        self.inner.ssh.target().address.ip()
    }

    /// The network cards, in the order of the init file.
    pub fn nics(&self) -> &[spec::PlannedNic] {
        &self.inner.plan.nics
    }

    /// What the init file says of this VM.
    pub fn spec(&self) -> &spec::Domain {
        &self.inner.spec
    }

    /// The name under which libvirt knows the domain.
    pub fn libvirt_name(&self) -> &str {
        &self.inner.description.name
    }

    /// The file that records everything which the guest writes to its serial console.
    pub fn console_log(&self) -> &Path {
        &self.inner.description.console_log
    }

    /// The way into the guest: its pool of ssh sessions.
    pub fn ssh(&self) -> &Ssh {
        &self.inner.ssh
    }

    /// The QEMU guest agent in the guest, for what works without network and sshd.
    pub fn agent(&self) -> &Agent {
        &self.inner.agent
    }

    /// What the VM is doing.
    pub fn state(&self) -> Result<VmState, VirtError> {
        match self.ask(QUESTION_LIMIT, Domain::state)? {
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
        if self.alive()? {
            return Ok(());
        }
        let _span = tracing::info_span!("start", vm = self.name()).entered();
        tracing::info!("powering on");
        let disks = self.current_disks()?;
        let xml = DomainDescription { disks, ..self.inner.description.clone() }.to_xml();
        self.inner
            .connection
            .call(CHANGE_LIMIT, move |connect| connect.create_domain_xml(&xml, 0).map(drop))?
            .map_err(|e| self.error("start", &e))?;
        Ok(())
    }

    /// Pulls the plug; a VM that is down already is left alone.
    pub fn stop(&self) -> Result<(), VirtError> {
        self.inner.ssh.forget_sessions();
        if self.state()? == VmState::Down {
            return Ok(());
        }
        tracing::info!(vm = self.name(), "powering off");
        match self.ask(CHANGE_LIMIT, Domain::destroy)? {
            Ok(()) => Ok(()),
            Err(e) if e.code().is(ErrorNumber::NoDomain) => Ok(()),
            Err(e) => Err(self.error("stop", &e)),
        }
    }

    /// Waits until a command can be run in the guest, at most for `limit`. Ends early, with the last lines of the
    /// console, when the VM goes down.
    pub fn wait_for_ssh(&self, limit: Duration) -> Result<()> {
        let _span = tracing::info_span!("wait for ssh", vm = self.name()).entered();
        let begin = Instant::now();
        self.inner.ssh.wait(limit)?;
        tracing::info!("{} answers after {:.1?}", self.ip(), begin.elapsed());
        Ok(())
    }

    /// Runs a command in the guest and returns what came of it, whatever its exit status.
    pub fn output(&self, command: &Cmd) -> Result<Output> {
        self.require_running()?;
        Ok(self.inner.ssh.output(command)?)
    }

    /// Runs a command in the guest; an exit status other than zero is an error that holds the command's output.
    ///
    /// ```no_run
    /// fn kernel(vm: &lago::Vm) -> lago::Result<String> {
    ///     Ok(vm.run(lago::cmd!("uname", "-r"))?.stdout().trim().to_owned())
    /// }
    /// ```
    pub fn run(&self, command: impl Into<Cmd>) -> Result<Output> {
        self.require_running()?;
        Ok(self.inner.ssh.run(&command.into())?)
    }

    /// Copies a file or a directory of this host into the guest.
    pub fn copy_to(&self, local: impl AsRef<Path>, remote: impl AsRef<Path>) -> Result<()> {
        self.require_running()?;
        Ok(self.inner.ssh.copy_to(local, remote).map(drop)?)
    }

    /// Copies a file or a directory of the guest to this host.
    pub fn copy_from(&self, remote: impl AsRef<Path>, local: impl AsRef<Path>) -> Result<()> {
        self.require_running()?;
        Ok(self.inner.ssh.copy_from(remote, local).map(drop)?)
    }

    /// Runs a command in the guest for as long as it takes, with these streams, and returns how it ended.
    pub fn converse(&self, command: &Cmd, streams: Terminal<'_>) -> Result<GuestStatus> {
        self.require_running()?;
        Ok(self.inner.ssh.interactive_on(Some(command), streams)?)
    }

    /// Opens a shell in the guest on this process's terminal, and returns how it ended.
    pub fn interactive_ssh(&self) -> Result<GuestStatus> {
        self.require_running()?;
        Ok(self.inner.ssh.interactive(None)?)
    }

    /// The disks that the VM uses when it starts now.
    pub(super) fn current_disks(&self) -> Result<Vec<DiskDevice>> {
        self.inner.disks.current()
    }

    /// Sessions with a guest that was started anew or put back meanwhile are of no use; they are closed here.
    fn require_running(&self) -> Result<(), VirtError> {
        let answer = self.ask(QUESTION_LIMIT, |domain| {
            // A domain that has just gone down has no number any more, and its state says so.
            Ok((domain.state()?.0, domain.id()))
        })?;
        let state = match answer {
            Ok((state, run)) => {
                if self.inner.reach.is_other_run(run) {
                    self.inner.ssh.forget_sessions();
                }
                state.into()
            }
            Err(e) if e.code().is(ErrorNumber::NoDomain) => VmState::Down,
            Err(e) => return Err(self.error("look at", &e)),
        };
        match state {
            VmState::Running | VmState::ShuttingDown => Ok(()),
            state => Err(VirtError::NotRunning {
                vm: self.inner.name.clone(),
                reason: format!("libvirt says that it is {state}"),
                console: console::tail(self.console_log()),
            }),
        }
    }

    /// Asks libvirt something about the domain.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        limit: Duration,
        question: impl FnOnce(&Domain) -> Result<T, virt::error::Error> + Send + 'static,
    ) -> Result<Result<T, virt::error::Error>, VirtError> {
        let name = self.libvirt_name().to_owned();
        self.inner.connection.call(limit, move |connect| {
            connect.lookup_domain_by_name(&name).and_then(|domain| question(&domain))
        })
    }

    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.inner.connection
    }

    pub(super) fn error(&self, action: &'static str, source: &virt::error::Error) -> VirtError {
        VirtError::Vm {
            vm: self.inner.name.clone(),
            action,
            message: source.message().to_owned(),
            hint: String::new(),
        }
    }
}

impl fmt::Debug for Vm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vm")
            .field("name", &self.name())
            .field("ip", &self.ip())
            .finish_non_exhaustive()
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
