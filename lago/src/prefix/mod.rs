//! One environment and the directory that holds it.
//!
//! [`Prefix::init`] makes the directory from an init file; [`Prefix::open`] finds it again, from any process.
//! Everything that changes an environment takes the prefix's lock, which dies with the process that holds it.

pub(crate) mod attached;
mod built;
pub(crate) mod chain;
mod disks;
mod error;
mod identity;
mod init;
pub(crate) mod layers;
pub(crate) mod mappings;
mod metadata;
mod names_of_lago;
mod networks;
mod record;
mod remote;
pub(crate) mod removal;
pub(crate) mod state;

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use built::FileBase;
pub(crate) use disks::COPY_LIMIT;
pub use disks::DiskImage;
pub use error::PrefixError;
pub use init::InitOptions;
pub(crate) use init::{claim as claim_directory, init_again, require_firmware};
pub(crate) use metadata::DECISIVE_KEYS;
pub use record::{HostKind, Origin, Record};

use crate::constants::CURRENT_LINK;
pub use crate::constants::START_LIMIT;
use crate::dirlock::{self, DirLock, Mode};
use crate::host::Host;
use crate::paths::Paths;
use crate::snapshot::{self, Compression};
use crate::utils::{create_dir, error_chain, let_through, parallel};
use crate::virt::{Network, VirtEnv, VirtError, Vm, VmState};
use crate::workdir::WorkdirError;
use crate::{Error, Result};

/// How long a prefix waits for another process that is changing it: the longest change is a start, without the wait
/// for its guests.
pub const LOCK_LIMIT: Duration = Duration::from_secs(120);

/// One environment: its VMs, networks and disks, in one directory.
///
/// ```no_run
/// # fn main() -> lago::Result<()> {
/// use lago::config::Config;
/// use lago::{InitFile, InitOptions, Prefix, cmd};
///
/// let init_file = InitFile::load("LagoInitFile.yaml".as_ref())?;
/// let options = InitOptions::new("my-prefix", init_file).with_settings(&Config::load()?)?;
/// let prefix = Prefix::init(&options)?;
/// prefix.start()?;
/// println!("{}", prefix.vm("server")?.run(cmd!("uptime"))?.stdout());
/// prefix.destroy()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Prefix {
    paths: Paths,
    record: Arc<Record>,
    virt_env: Arc<VirtEnv>,
    compression: Arc<Compression>,
}

impl Prefix {
    /// Makes a prefix: keys, disks, seeds. Nothing runs yet. A failure leaves nothing behind, and what a killed
    /// process left half made is removed first.
    pub fn init(options: &InitOptions) -> Result<Self> {
        init::init(options)
    }

    /// Opens a prefix that exists. A snapshot or a revert that a killed process left half done is finished first.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let prefix = Self::open_as_it_is(path.as_ref())?;
        snapshot::recover(&prefix);
        Ok(prefix)
    }

    fn open_as_it_is(path: &Path) -> Result<Self> {
        let paths = Self::paths_at(path)?;
        let record = Record::read(&paths)?;
        Self::assemble(paths, record)
    }

    /// Makes the directory a prefix, by its record, once all else is in it.
    pub(crate) fn establish(paths: &Paths, record: Record) -> Result<Self> {
        create_dir(&paths.nvram_dir())?;
        record.write(paths)?;
        names_of_lago::put(paths)?;
        let prefix = Self::assemble(paths.clone(), record)?;
        fs::remove_file(paths.unfinished()).map_err(|source| PrefixError::Io {
            action: "remove",
            path: paths.unfinished(),
            source,
        })?;
        Ok(prefix)
    }

    fn paths_at(path: &Path) -> Result<Paths, PrefixError> {
        std::path::absolute(path).map(Paths::new).map_err(|source| PrefixError::Io {
            action: "find",
            path: path.to_owned(),
            source,
        })
    }

    fn assemble(paths: Paths, record: Record) -> Result<Self> {
        let record = Arc::new(record);
        let virt_env = Arc::new(record.assemble(&paths)?);
        Ok(Self { paths, record, virt_env, compression: Arc::default() })
    }

    /// Where things are in the prefix.
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// What was decided when the prefix was made.
    pub fn record(&self) -> &Record {
        &self.record
    }

    pub(crate) fn shared_record(&self) -> &Arc<Record> {
        &self.record
    }

    /// Where the domains run.
    pub fn host(&self) -> &Host {
        self.virt_env.host()
    }

    /// Makes a command run on the prefix's host, as [`Host::enter`] does: there the guests have their addresses. What uses this
    /// library in it reaches machines that lago does not start as well, as long as this process lives.
    pub fn enter(&self, command: &mut Command) -> Result<()> {
        if self.vms().any(Vm::is_remote) {
            return Ok(self.host().enter_reaching_outside(command)?);
        }
        Ok(self.host().enter(command)?)
    }

    /// The networks and VMs.
    pub fn virt_env(&self) -> &VirtEnv {
        &self.virt_env
    }

    /// The VMs, in the order of the init file.
    pub fn vms(&self) -> impl ExactSizeIterator<Item = &Vm> {
        self.virt_env.vms()
    }

    /// A VM by its name in the init file.
    pub fn vm(&self, name: &str) -> Result<&Vm> {
        self.virt_env.vm(name)
    }

    /// The networks, in the order of the init file.
    pub fn networks(&self) -> impl ExactSizeIterator<Item = &Network> {
        self.virt_env.networks()
    }

    /// Brings everything up and waits until all guests answer ssh, each at most [`START_LIMIT`]. What is up already
    /// stays as it is, so a second start is no mistake.
    pub fn start(&self) -> Result<()> {
        self.start_vms(&[], START_LIMIT)
    }

    /// As [`Self::start`], for the VMs of these names (all when there are none) and with a limit for their guests.
    pub fn start_vms(&self, names: &[String], limit: Duration) -> Result<()> {
        let vms = self.power_on(names)?;
        self.virt_env.wait_for_ssh(&vms, limit)
    }

    /// Brings the host and the networks of these VMs up and powers them on, without waiting for their guests. Without names
    /// that is all VMs, and all networks.
    pub fn power_on(&self, names: &[String]) -> Result<Vec<&Vm>> {
        let vms = self.virt_env.select(names)?;
        let _lock = self.lock_settled()?;
        self.require_complete()?;
        self.record.confirm_leases(self.paths.prefix())?;
        names_of_lago::mark_initialized(&self.paths)?;
        self.let_qemu_through();
        let networks = self.virt_env.networks_of(&vms)?;
        self.virt_env.start(&networks, &vms)?;
        Ok(vms)
    }

    /// Where libvirt is the machine's, QEMU has to get to the disks past the workdir as well.
    fn let_qemu_through(&self) {
        let workdir = self.paths.prefix().parent();
        let workdir = workdir.filter(|workdir| workdir.join(CURRENT_LINK).is_symlink());
        if let (HostKind::Uri(_), Some(workdir)) = (&self.record.host, workdir)
            && let Err(error) = let_through(workdir)
        {
            // What libvirt says then names the file.
            tracing::debug!("{}", error_chain(&error));
        }
    }

    /// Pulls the plug of these VMs (all when there are no names). Networks on which nothing runs any more go as well, and
    /// a private host with the last VM.
    pub fn stop_vms(&self, names: &[String]) -> Result<()> {
        if names.is_empty() {
            return self.stop();
        }
        let vms = self.virt_env.select(names)?;
        let _lock = self.lock()?;
        if self.host().is_running() {
            parallel(&vms, |vm| vm.stop())?;
            self.take_down_unused(&vms)?;
        }
        Ok(())
    }

    /// Asks the guests of these VMs (all when there are no names) to power off, all at once, each with this limit, and
    /// takes down what nothing runs on any more. A VM that is down already is left alone.
    pub fn shutdown(&self, names: &[String], limit: Duration) -> Result<()> {
        let vms = self.virt_env.select(names)?;
        let _lock = self.lock_settled()?;
        if self.host().is_running() {
            parallel(&vms, |vm| vm.shutdown(limit))?;
            self.take_down_unused(&vms)?;
        }
        Ok(())
    }

    /// Has the guests of these VMs (all that run when there are no names) start anew, all at once, and waits until they
    /// answer again, each with this limit.
    pub fn reboot(&self, names: &[String], limit: Duration) -> Result<()> {
        let wanted = self.virt_env.select(names)?;
        let _lock = self.lock_settled()?;
        let mut vms = Vec::new();
        for vm in wanted {
            // One that was asked for by its name and is down, or no VM, is an error, which the reboot tells.
            let is_meant = || !vm.is_remote() && self.host().is_running();
            if !names.is_empty() || is_meant() && vm.alive()? {
                vms.push(vm);
            }
        }
        parallel(vms, |vm| vm.reboot(limit))?;
        Ok(())
    }

    /// Takes down the networks of these VMs on which no VM runs any more; everything, when none runs at all.
    fn take_down_unused(&self, stopped: &[&Vm]) -> Result<()> {
        if !self.is_running()? {
            return self.virt_env.stop();
        }
        let mut used = HashSet::new();
        for (vm, state) in self.states()? {
            if !matches!(state, VmState::Down | VmState::Crashed) {
                used.extend(vm.all_nics()?.into_iter().map(|nic| nic.net().to_owned()));
            }
        }
        let of_stopped = self.virt_env.networks_of(stopped)?;
        parallel(of_stopped.into_iter().filter(|net| !used.contains(net.name())), Network::stop)?;
        Ok(())
    }

    /// Pulls the plug of all VMs and takes down what they ran on. Does nothing when nothing runs.
    pub fn stop(&self) -> Result<()> {
        let _lock = self.lock()?;
        self.virt_env.stop()
    }

    /// Makes the VMs of these names (all that run when there are none) stand still. Nothing in a guest notices, until
    /// [`Self::resume`].
    pub fn suspend(&self, names: &[String]) -> Result<()> {
        self.change_running(names, VmState::Running, Vm::pause)
    }

    /// Lets the VMs of these names (all that stand still when there are none) run on, together.
    pub fn resume(&self, names: &[String]) -> Result<()> {
        self.change_running(names, VmState::Paused, Vm::resume)
    }

    fn change_running(
        &self,
        names: &[String],
        from: VmState,
        change: fn(&Vm) -> Result<(), VirtError>,
    ) -> Result<()> {
        let wanted = self.virt_env.select(names)?;
        let _lock = self.lock_settled()?;
        let mut states = self.states()?;
        states.retain(|(vm, state)| {
            let is_wanted = wanted.iter().any(|wanted| wanted.name() == vm.name());
            is_wanted && (!names.is_empty() || *state == from && !vm.is_remote())
        });
        parallel(states, |(vm, _)| change(vm))?;
        Ok(())
    }

    /// Stops everything, and frees the subnets on a shared host for others. What the VMs wrote stays, and [`Self::start`]
    /// brings them up again.
    pub fn cleanup(&self) -> Result<()> {
        let _lock = self.lock()?;
        self.virt_env.stop()?;
        self.record.give_leases_back(self.paths.prefix());
        Ok(names_of_lago::unmark_initialized(&self.paths)?)
    }

    /// Stops everything and removes the disks and snapshots; the logs and reports in the prefix stay.
    pub fn remove_disks(&self) -> Result<()> {
        let _lock = self.lock()?;
        self.require_no_forks()?;
        self.virt_env.stop()?;
        self.record.give_leases_back(self.paths.prefix());
        names_of_lago::unmark_initialized(&self.paths)?;
        Ok(disks::remove(&self.paths)?)
    }

    /// Stops everything and removes the prefix's directory. Refused while a fork elsewhere stands on it.
    pub fn destroy(self) -> Result<()> {
        let _lock = self.lock()?;
        self.require_no_forks()?;
        self.virt_env.stop()?;
        self.record.give_leases_back(self.paths.prefix());
        Ok(removal::remove(&self.paths)?)
    }

    /// Destroys the forks inside, and refuses to go on while there are others.
    fn require_no_forks(&self) -> Result<()> {
        snapshot::require_no_forks(&self.paths)?;
        snapshot::destroy_forks_inside(&self.paths)
    }

    /// As [`Self::destroy`], for a directory that need not be a whole prefix any more: what a killed process left half
    /// made, or whose record is damaged. What runs on a private host in it is stopped all the same.
    pub fn destroy_at(path: impl AsRef<Path>) -> Result<()> {
        let paths = Self::paths_at(path.as_ref())?;
        match Self::open_as_it_is(paths.prefix()) {
            Ok(prefix) => prefix.destroy(),
            Err(error) if !paths.is_prefix() && !paths.unfinished().exists() => Err(error),
            // What else runs for it, only the lago that made it knows.
            Err(error @ Error::Workdir(WorkdirError::TooNew { .. })) => Err(error),
            Err(error) => {
                tracing::warn!("{}; removing what is there", error_chain(&error));
                let _lock = dirlock::lock(paths.prefix(), Mode::Exclusive, LOCK_LIMIT)?;
                snapshot::require_no_forks(&paths)?;
                snapshot::destroy_forks_inside(&paths)?;
                Host::private(paths.host()).stop()?;
                Ok(removal::remove(&paths)?)
            }
        }
    }

    /// Whether any of the VMs is there.
    pub fn is_running(&self) -> Result<bool> {
        if !self.host().is_running() {
            return Ok(false);
        }
        for vm in self.vms().filter(|vm| !vm.is_remote()) {
            if vm.alive()? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What each VM is doing, without starting anything.
    pub fn states(&self) -> Result<Vec<(&Vm, VmState)>> {
        let host_runs = self.host().is_running();
        let is_there = |vm: &Vm| host_runs || vm.is_remote();
        self.vms()
            .map(|vm| Ok((vm, if is_there(vm) { vm.state()? } else { VmState::Down })))
            .collect()
    }

    pub(crate) fn compression(&self) -> &Compression {
        &self.compression
    }

    /// As [`Self::lock`]; what a killed process had begun is finished first.
    pub(crate) fn lock_settled(&self) -> Result<DirLock> {
        let lock = self.lock()?;
        snapshot::settle(self)?;
        Ok(lock)
    }

    /// Waits for another process, and without a limit for the compression of a snapshot by this one.
    pub(crate) fn lock(&self) -> Result<DirLock> {
        self.compression.wait();
        Ok(dirlock::lock(self.paths.prefix(), Mode::Exclusive, LOCK_LIMIT)?)
    }

    pub(crate) fn require_complete(&self) -> Result<(), PrefixError> {
        if self.paths.images().is_dir() {
            return Ok(());
        }
        Err(PrefixError::CleanedUp { path: self.paths.prefix().to_owned() })
    }
}

/// As [`Prefix::lock_settled`], for who knows no more of the prefix than where it is.
fn lock_settled(paths: &Paths) -> Result<DirLock> {
    let lock = dirlock::lock(paths.prefix(), Mode::Exclusive, LOCK_LIMIT)?;
    if state::State::read(paths)?.pending.is_some() {
        snapshot::settle(&Prefix::open(paths.prefix())?)?;
    }
    Ok(lock)
}

#[cfg(test)]
mod tests;
