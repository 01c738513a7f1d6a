//! Any VM of an oVirt environment.

use std::ops::Deref;

use crate::error::Result;
use crate::metadata::{Metadata, Role};

/// A VM, with what its metadata say about its part in an oVirt environment.
#[derive(Debug, Clone)]
pub struct TestVm {
    vm: lago::Vm,
    metadata: Metadata,
}

impl TestVm {
    /// Reads the metadata of a VM.
    pub fn new(vm: lago::Vm) -> Result<Self> {
        let metadata = Metadata::read(vm.name(), vm.spec())?;
        Ok(Self { vm, metadata })
    }

    /// What its metadata say.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// What it is, if it is anything of oVirt's.
    pub fn role(&self) -> Option<Role> {
        self.metadata.role
    }

    /// What it can do.
    pub fn capabilities(&self) -> &[String] {
        &self.metadata.capabilities
    }

    /// The paths in the guest that are worth keeping after a failure: those of the init file, and those of its role.
    pub fn artifact_paths(&self) -> Vec<String> {
        let mut paths = self.vm.spec().artifacts.clone();
        for path in role_artifacts(self.role()) {
            if !paths.iter().any(|known| known == path) {
                paths.push((*path).to_owned());
            }
        }
        paths
    }
}

impl Deref for TestVm {
    type Target = lago::Vm;

    fn deref(&self) -> &lago::Vm {
        &self.vm
    }
}

/// Where engines and hosts write what they do.
fn role_artifacts(role: Option<Role>) -> &'static [&'static str] {
    match role {
        None => &[],
        Some(Role::Engine) => &["/var/log/ovirt-engine"],
        Some(Role::Host) => &["/var/log/messages", "/var/log/vdsm", "/var/log/sanlock.log"],
        // A node keeps its log in the journal, which evidence always has.
        Some(Role::Node) => &["/var/log/vdsm", "/var/log/sanlock.log"],
        Some(Role::HostedEngineHost) => &[
            "/var/log/messages",
            "/var/log/vdsm",
            "/var/log/sanlock.log",
            "/var/log/ovirt-hosted-engine-setup",
            "/var/log/ovirt-hosted-engine-ha",
        ],
    }
}
