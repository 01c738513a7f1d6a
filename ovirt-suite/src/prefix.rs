//! A prefix with an oVirt environment in it.

use std::ops::Deref;
use std::path::Path;

use lago::Prefix;
use lago::snapshot::SnapshotOptions;
use lago::utils::{Failures, RollbackContext, parallel};

use crate::constants::ENGINE_SERVICE;
use crate::error::{Error, Result};
use crate::limits;
use crate::maintenance;
use crate::paths::OvirtPaths;
use crate::virt::{HostVm, OvirtVirtEnv};

/// A prefix, and its VMs by what they are in an oVirt environment.
///
/// There are two ways to keep its state. [`Prefix::snapshot`] and [`Prefix::revert`] keep the memory of all VMs, so nothing
/// in the environment notices; that is what suites use. [`create_snapshots`](Self::create_snapshots) and
/// [`revert_snapshots`](Self::revert_snapshots) keep the disks alone, for who wants the VMs to boot from them: then the engine
/// has to bring its storage and its hosts to rest before, and to bring them up again after, which takes minutes.
#[derive(Debug, Clone)]
pub struct OvirtPrefix {
    prefix: Prefix,
    paths: OvirtPaths,
    virt_env: OvirtVirtEnv,
}

impl OvirtPrefix {
    /// Of a prefix.
    ///
    /// # Errors
    /// When the metadata of a VM make no sense.
    pub fn new(prefix: Prefix) -> Result<Self> {
        let virt_env = OvirtVirtEnv::new(&prefix)?;
        let paths = OvirtPaths::new(prefix.paths().clone());
        Ok(Self { prefix, paths, virt_env })
    }

    /// Opens a prefix that exists.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::new(Prefix::open(path)?)
    }

    /// Where things are in the prefix.
    pub fn ovirt_paths(&self) -> &OvirtPaths {
        &self.paths
    }

    /// The VMs, by what they are.
    pub fn virt_env(&self) -> &OvirtVirtEnv {
        &self.virt_env
    }

    /// Runs the deploy scripts, which make the VMs what they are, those of different VMs at the same time.
    pub fn deploy(&self) -> Result<()> {
        Ok(self.prefix.deploy(limits::DEPLOY_SCRIPT)?)
    }

    /// Brings everything up, and then hosts and storage, if there is an engine to bring them up.
    pub fn start(&self) -> Result<()> {
        self.prefix.start()?;
        if self.has_engine()? {
            self.activate()?;
        }
        Ok(())
    }

    /// Brings storage and hosts to rest, if there is an engine to do it, and stops everything.
    ///
    /// # Errors
    /// When something does not come to rest, everything is stopped all the same.
    pub fn stop(&self) -> Result<()> {
        let at_rest = self.has_engine().and_then(|engine| {
            if !engine {
                return Ok(());
            }
            let api = self.virt_env.engine_vm()?.get_api()?;
            maintenance::deactivate(&api)
        });
        if let Ok(engine) = self.virt_env.engine_vm() {
            engine.forget_api();
        }
        let stopped = self.prefix.stop().map_err(Error::from);
        all([at_rest, stopped])
    }

    /// Keeps the disks of all VMs under a name, with the environment at rest: storage and hosts in maintenance, the engine
    /// and what runs on hosts stopped. With `restore`, all of that is undone afterwards.
    ///
    /// # Errors
    /// When something fails, what was brought to rest until then is brought up again.
    pub fn create_snapshots(&self, name: &str, restore: bool) -> Result<()> {
        let _span = tracing::info_span!("create snapshots", name).entered();
        let mut rollback = RollbackContext::new();
        let taken = self.rest(&mut rollback).and_then(|()| {
            self.prefix.snapshot_with(name, SnapshotOptions { live: true })?;
            Ok(())
        });
        if let Err(error) = taken {
            return Err(rollback.fail(error).into());
        }
        if !restore {
            rollback.clear();
            return Ok(());
        }
        let failed = rollback.undo().into_iter().map(Error::Restore);
        all(failed.map(Err))
    }

    /// Boots all VMs from disks that [`create_snapshots`](Self::create_snapshots) has kept, and brings hosts and storage up.
    pub fn revert_snapshots(&self, name: &str) -> Result<()> {
        let _span = tracing::info_span!("revert snapshots", name).entered();
        self.prefix.revert(name)?;
        self.activate()
    }

    fn activate(&self) -> Result<()> {
        let engine = self.virt_env.engine_vm()?;
        engine.forget_api();
        parallel(self.virt_env.host_vms(), HostVm::start_services)?;
        engine.service(ENGINE_SERVICE)?.start()?;
        let api = engine.get_api()?;
        maintenance::activate(&api)
    }

    /// Brings everything to rest, and notes how it is brought up again.
    fn rest<'a>(&'a self, rollback: &mut RollbackContext<'a>) -> Result<()> {
        let engine = self.virt_env.engine_vm()?;
        let api = engine.get_api()?;
        rollback.defer("activate hosts and storage", || {
            let api = engine.get_api()?;
            maintenance::activate(&api)
        });
        maintenance::deactivate(&api)?;
        let service = engine.service(ENGINE_SERVICE)?;
        service.stop()?;
        engine.forget_api();
        rollback.defer("start the engine", move || service.start());
        rollback.defer("start what runs on the hosts", || {
            parallel(self.virt_env.host_vms(), HostVm::start_services)
                .map(drop)
                .map_err(Error::from)
        });
        parallel(self.virt_env.host_vms(), HostVm::stop_services)?;
        Ok(())
    }

    /// Whether there is an engine that was set up already.
    fn has_engine(&self) -> Result<bool> {
        match self.virt_env.engine_vm() {
            Ok(engine) if engine.alive().map_err(lago::Error::from)? => {
                Ok(engine.service(ENGINE_SERVICE)?.exists()?)
            }
            _ => Ok(false),
        }
    }
}

impl Deref for OvirtPrefix {
    type Target = Prefix;

    fn deref(&self) -> &Prefix {
        &self.prefix
    }
}

/// All failures of several steps.
fn all(steps: impl IntoIterator<Item = Result<()>>) -> Result<()> {
    let mut failed = steps.into_iter().filter_map(Result::err);
    let Some(first) = failed.next() else { return Ok(()) };
    Err(Failures { first, others: failed.map(Into::into).collect() }.into())
}
