//! A prefix with an oVirt environment in it.

use std::ops::Deref;
use std::path::Path;

use lago::Prefix;
use lago::snapshot::SnapshotOptions;
use lago::utils::{Failures, RollbackContext, parallel};
use lago::virt::VmState;

use crate::constants::ENGINE_SERVICE;
use crate::error::{Error, Result};
use crate::limits;
use crate::maintenance::{self, AtRest};
use crate::paths::OvirtPaths;
use crate::utils::Interrupt;
use crate::virt::{EngineApi, EngineVm, HostVm, OvirtVirtEnv};

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
    interrupt: Interrupt,
}

impl OvirtPrefix {
    /// Of a prefix.
    ///
    /// # Errors
    /// When the metadata of a VM make no sense.
    pub fn new(prefix: Prefix) -> Result<Self> {
        let virt_env = OvirtVirtEnv::new(&prefix)?;
        let paths = OvirtPaths::new(prefix.paths().clone());
        Ok(Self { prefix, paths, virt_env, interrupt: Interrupt::new() })
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

    /// By what somebody else may interrupt what this one does: a handler of signals, say.
    pub fn interrupted_by(mut self, interrupt: &Interrupt) -> Self {
        self.interrupt = interrupt.clone();
        self
    }

    /// Brings everything up, and then the hosts and the storage that were up before, if there is an engine to bring them up.
    /// What [`stop`](Self::stop) or an interrupted call has brought to rest is known; otherwise it is all that is not in
    /// maintenance.
    pub fn start(&self) -> Result<()> {
        self.prefix.start()?;
        self.interrupt.check()?;
        if self.engine_that_was_set_up()?.is_some() {
            self.activate(AtRest::read(&self.paths.at_rest())?.as_ref(), &self.interrupt)?;
        }
        Ok(())
    }

    /// Brings storage and hosts to rest, if there is an engine to do it, and stops everything.
    ///
    /// # Errors
    /// When something does not come to rest, everything is stopped all the same.
    pub fn stop(&self) -> Result<()> {
        if !self.prefix.host().is_running() {
            return Ok(self.prefix.stop()?);
        }
        let at_rest = self.rest_before_stop();
        if let Ok(engine) = self.virt_env.engine_vm() {
            engine.forget_api();
        }
        let stopped = self.prefix.stop().map_err(Error::from);
        all([at_rest, stopped])
    }

    /// Keeps the disks of all VMs under a name, with the environment at rest: storage and hosts in maintenance, the engine
    /// and what runs on hosts stopped. With `restore`, all that was up before is brought up again afterwards; without, and when
    /// this process is killed, [`start`](Self::start) does it.
    ///
    /// # Errors
    /// When there can be no such snapshot, or there is no engine, before anything comes to rest. When something fails, what was brought to rest until then is brought up again.
    pub fn create_snapshots(&self, name: &str, restore: bool) -> Result<()> {
        let _span = tracing::info_span!("create snapshots", name).entered();
        self.prefix.require_free_snapshot_name(name)?;
        self.running_engine()?;
        self.finish_earlier_call()?;
        let mut rollback = RollbackContext::new();
        let of_snapshot = self.paths.at_rest_in(name);
        let taken = self.rest(&mut rollback).and_then(|at_rest| {
            self.interrupt.check()?;
            at_rest.write(&of_snapshot)?;
            let taken = self.prefix.snapshot_with(name, SnapshotOptions { live: true });
            taken.map(drop).map_err(Error::from)
        });
        if let Err(error) = taken {
            let forgotten = AtRest::forget(&of_snapshot);
            rollback.defer("forget what the snapshot would have been of", || forgotten);
            return Err(rollback.fail(error).into());
        }
        if !restore {
            rollback.clear();
            return Ok(());
        }
        let failed = rollback.undo().into_iter().map(Error::Restore);
        all(failed.map(Err))
    }

    /// Boots all VMs from disks that [`create_snapshots`](Self::create_snapshots) has kept, and brings up the hosts and the
    /// storage that were up before it.
    ///
    /// # Errors
    /// When there is no engine, before anything is changed.
    pub fn revert_snapshots(&self, name: &str) -> Result<()> {
        let _span = tracing::info_span!("revert snapshots", name).entered();
        self.virt_env.engine_vm()?.forget_api();
        self.prefix.revert(name)?;
        let at_rest = AtRest::read(&self.paths.at_rest_in(name))?;
        // What is said there is of the state that is gone.
        match &at_rest {
            Some(at_rest) => at_rest.write(&self.paths.at_rest())?,
            None => AtRest::forget(&self.paths.at_rest())?,
        }
        self.running_engine()?;
        self.activate(at_rest.as_ref(), &self.interrupt)
    }

    /// Brings up what an earlier call has brought to rest and did not come to bring up, as its process was killed.
    fn finish_earlier_call(&self) -> Result<()> {
        let Some(at_rest) = AtRest::read(&self.paths.at_rest())? else { return Ok(()) };
        tracing::warn!("an earlier call has left storage and hosts at rest; they are brought up");
        self.activate(Some(&at_rest), &self.interrupt)
    }

    fn activate(&self, at_rest: Option<&AtRest>, interrupt: &Interrupt) -> Result<()> {
        let engine = self.virt_env.engine_vm()?;
        engine.forget_api();
        parallel(self.virt_env.host_vms(), HostVm::start_services)?;
        engine.service(ENGINE_SERVICE)?.start()?;
        self.activate_by_api(at_rest, interrupt)
    }

    fn activate_by_api(&self, at_rest: Option<&AtRest>, interrupt: &Interrupt) -> Result<()> {
        let api = self.virt_env.engine_vm()?.get_api_unless(limits::ENGINE, interrupt)?;
        maintenance::activate(&api, at_rest, interrupt)?;
        AtRest::forget(&self.paths.at_rest())
    }

    /// Writes down what is up, so that it is known however this ends, before any of it comes to rest.
    fn note_what_is_up(&self) -> Result<(EngineApi, AtRest)> {
        let engine = self.virt_env.engine_vm()?;
        let api = engine.get_api_unless(limits::ENGINE, &self.interrupt)?;
        let before = AtRest::read(&self.paths.at_rest())?;
        let at_rest = AtRest::what_is_up(&api)?.and(before);
        at_rest.write(&self.paths.at_rest())?;
        Ok((api, at_rest))
    }

    fn rest_before_stop(&self) -> Result<()> {
        let Some(engine) = self.engine_that_was_set_up()? else { return Ok(()) };
        if !engine.service(ENGINE_SERVICE)?.alive()? {
            tracing::warn!("the engine does not run, so hosts and storage are stopped as they are");
            return Ok(());
        }
        let (api, _) = self.note_what_is_up()?;
        maintenance::deactivate(&api, &self.interrupt)
    }

    /// Brings everything to rest, and notes how it is brought up again, which nothing interrupts.
    fn rest<'a>(&'a self, rollback: &mut RollbackContext<'a>) -> Result<AtRest> {
        let engine = self.virt_env.engine_vm()?;
        // An engine that is not reached has brought nothing to rest, and is not waited for a second time.
        let (api, at_rest) = self.note_what_is_up()?;
        rollback.defer("activate hosts and storage", || {
            self.activate_by_api(AtRest::read(&self.paths.at_rest())?.as_ref(), &Interrupt::new())
        });
        maintenance::deactivate(&api, &self.interrupt)?;
        drop(api);
        let service = engine.service(ENGINE_SERVICE)?;
        engine.forget_api();
        rollback.defer("start the engine", {
            let service = service.clone();
            move || service.start()
        });
        service.stop()?;
        rollback.defer("start what runs on the hosts", || {
            parallel(self.virt_env.host_vms(), HostVm::start_services)
                .map(drop)
                .map_err(Error::from)
        });
        parallel(self.virt_env.host_vms(), HostVm::stop_services)?;
        Ok(at_rest)
    }

    /// The engine, which has to run where nothing can be done without it.
    fn running_engine(&self) -> Result<&EngineVm> {
        let engine = self.virt_env.engine_vm()?;
        match engine.state().map_err(lago::Error::from)? {
            VmState::Running => Ok(engine),
            state => {
                Err(Error::EngineDown { vm: engine.name().to_owned(), state: state.to_string() })
            }
        }
    }

    /// The engine, if there is one in the environment that runs and was set up already.
    fn engine_that_was_set_up(&self) -> Result<Option<&EngineVm>> {
        match self.virt_env.engine_vm() {
            Ok(engine) if engine.alive().map_err(lago::Error::from)? => {
                Ok(engine.service(ENGINE_SERVICE)?.exists()?.then_some(engine))
            }
            _ => Ok(None),
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
