//! The VMs of an oVirt environment.

mod engine_vm;
mod engine_wait;
mod host_vm;
mod test_vm;

pub use engine_vm::{EngineApi, EngineVm};
use engine_wait::wait_by;
pub use engine_wait::{EngineProbe, look_at, wait_for};
pub use host_vm::HostVm;
pub use test_vm::TestVm;

use lago::Prefix;

use crate::error::{Error, Result};
use crate::metadata::Role;

/// All VMs of an oVirt environment, by what they are.
#[derive(Debug, Clone)]
pub struct OvirtVirtEnv {
    vms: Vec<TestVm>,
    engine: Option<EngineVm>,
    hosts: Vec<HostVm>,
}

impl OvirtVirtEnv {
    /// Those of a prefix.
    ///
    /// # Errors
    /// When metadata make no sense, or several VMs are engines.
    pub fn new(prefix: &Prefix) -> Result<Self> {
        let vms = prefix.vms().map(|vm| TestVm::new(vm.clone())).collect::<Result<Vec<_>>>()?;
        let with = |wanted: fn(Role) -> bool| {
            vms.iter().filter(move |vm| vm.role().is_some_and(wanted)).cloned()
        };
        let engines: Vec<TestVm> = with(|role| role == Role::Engine).collect();
        if engines.len() > 1 {
            let vms = engines.iter().map(|vm| vm.name().to_owned()).collect();
            return Err(Error::SeveralEngines { vms });
        }
        let engine = engines.into_iter().next().map(EngineVm::new);
        let hosts = with(Role::is_host).map(HostVm::new).collect();
        Ok(Self { vms, engine, hosts })
    }

    /// All VMs, in the order of the init file.
    pub fn vms(&self) -> &[TestVm] {
        &self.vms
    }

    /// The VM of the engine.
    ///
    /// # Errors
    /// When there is none.
    pub fn engine_vm(&self) -> Result<&EngineVm> {
        self.engine.as_ref().ok_or(Error::NoEngine)
    }

    /// The VMs that are hosts, in the order of the init file.
    pub fn host_vms(&self) -> &[HostVm] {
        &self.hosts
    }

    /// A VM by its name in the init file.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn get_vm(&self, name: &str) -> Result<&TestVm> {
        self.vms.iter().find(|vm| vm.name() == name).ok_or_else(|| {
            let known = self.vms.iter().map(|vm| vm.name()).collect::<Vec<_>>().join(", ");
            lago::Error::from(lago::virt::VirtError::UnknownVm { name: name.to_owned(), known })
                .into()
        })
    }
}
