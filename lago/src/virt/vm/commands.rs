//! Commands, files and shells in a VM's guest.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use virt::error::ErrorNumber;

use super::{Vm, VmState};
use crate::Result;
use crate::guest::{Cmd, GuestStatus, Output, Streams, Terminal, console};
use crate::utils::FileError;
use crate::virt::VirtError;
use crate::virt::connection::QUESTION_LIMIT;

impl Vm {
    /// Waits until a command can be run in the guest, at most for `limit`. Ends early, with the last lines of the
    /// console, when the VM goes down. One that is paused is not waited for.
    pub fn wait_for_ssh(&self, limit: Duration) -> Result<()> {
        let _span = tracing::info_span!("wait for ssh", vm = self.name()).entered();
        if self.state()? == VmState::Paused {
            return Err(self.paused()?.into());
        }
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

    /// Runs a script of this machine in the guest, whatever its `#!` line names, and returns what came of it, whatever its
    /// exit status. [`Cmd::script`] takes more than arguments.
    pub fn ssh_script(
        &self,
        path: impl AsRef<Path>,
        args: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Result<Output> {
        let path = path.as_ref();
        let script = fs::read(path).map_err(FileError::io("read", path))?;
        self.output(&Cmd::script(script).args(args))
    }

    /// Runs a command in the guest and passes its output on as it comes, whatever its exit status. What it reads is what
    /// the command holds.
    pub fn stream(
        &self,
        command: &Cmd,
        stdout: &mut dyn Write,
        stderr: &mut dyn Write,
    ) -> Result<GuestStatus> {
        self.require_running()?;
        let streams = Streams { stdin: &mut command.stdin_bytes(), stdout, stderr };
        Ok(self.inner.ssh.stream(command, streams)?)
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

    /// Sessions with a guest that was started anew or put back meanwhile are of no use; they are closed here.
    pub(super) fn require_running(&self) -> Result<(), VirtError> {
        if self.is_remote() {
            return Ok(());
        }
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
            VmState::Paused => Err(self.paused()?),
            state => Err(VirtError::NotRunning {
                vm: self.inner.name.clone(),
                reason: format!("libvirt says that it is {state}"),
                console: console::tail(self.console_log()),
            }),
        }
    }

    /// The error of something that needs the VM to run.
    fn paused(&self) -> Result<VirtError, VirtError> {
        let vm = self.name().to_owned();
        let by_io_error = self.is_paused_by_io_error()?;
        Ok(if by_io_error { VirtError::PausedByIoError { vm } } else { VirtError::Paused { vm } })
    }
}
