//! OpenSSH's client as a reference.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use lago::utils::{Probe, wait_until};
use lago::{Prefix, Vm};
use tempfile::TempDir;

use crate::lab::Lab;

/// How long the client may take to log in and share its connection.
const MASTER_LIMIT: Duration = Duration::from_secs(60);

/// How often to look whether it has.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The client with the configuration that `lago ssh-config` prints. It runs on the private host itself, so that no
/// proxy of lago's is part of what it takes.
pub(super) struct SshClient<'a> {
    prefix: &'a Prefix,
    config: PathBuf,
    /// Not in the prefix, as the path of a socket must be short.
    dir: TempDir,
}

/// A client that keeps a connection open for others; it ends when dropped.
pub(super) struct Master(Child);

impl<'a> SshClient<'a> {
    pub(super) fn new(lab: &Lab, prefix: &'a Prefix) -> Result<Self> {
        let dir = TempDir::new()?;
        let mut lago = lab.lago();
        lago.arg("--prefix-path").arg(prefix.paths().prefix()).arg("ssh-config");
        let printed = lago.output().context("starting lago")?;
        if !printed.status.success() {
            bail!("`lago ssh-config` ended with {}", printed.status);
        }
        let config = dir.path().join("config");
        fs::write(&config, printed.stdout)?;
        Ok(Self { prefix, config, dir })
    }

    /// Runs a command that has to succeed, over the master's connection if there is one.
    pub(super) fn run(&self, vm: &Vm, command: &str) -> Result<()> {
        let mut ssh = self.command()?;
        ssh.args(["-o", "ControlMaster=no", vm.name(), command]);
        let output = ssh.output().context("starting ssh")?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            bail!("ssh ended with {}: {}", output.status, words.trim());
        }
        Ok(())
    }

    /// Logs in and shares the connection.
    pub(super) fn master(&self, vm: &Vm) -> Result<Master> {
        let mut ssh = self.command()?;
        ssh.args(["-N", "-o", "ControlMaster=yes", vm.name()]);
        let mut master = Master(ssh.spawn().context("starting ssh")?);
        wait_until("ssh's shared connection", MASTER_LIMIT, POLL_INTERVAL, || {
            if let Some(status) = master.0.try_wait()? {
                bail!("the ssh client that was to keep a connection ended with {status}");
            }
            if self.socket().exists() {
                return Ok(Probe::Done(()));
            }
            Ok(Probe::NotYet("its socket is not there".to_owned()))
        })?;
        Ok(master)
    }

    fn command(&self) -> Result<Command> {
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg(&self.config).args(["-o", "ProxyCommand=none", "-o", "BatchMode=yes"]);
        ssh.arg("-o").arg(format!("ControlPath={}", self.socket().display()));
        ssh.stdin(Stdio::null());
        self.prefix.host().enter(&mut ssh)?;
        Ok(ssh)
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("master")
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        // One that has ended already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
