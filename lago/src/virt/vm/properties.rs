//! What the init file says of a VM.

use serde_json::Value;

use super::Vm;
use crate::spec::JsonMap;
use crate::sysprep::initiator_name;

impl Vm {
    /// How many virtual CPUs it has.
    pub fn cpus(&self) -> u32 {
        self.spec().vcpu
    }

    /// Its memory, in MiB.
    pub fn memory(&self) -> u64 {
        self.spec().memory
    }

    /// The CPU model that the init file names, by `cpu_model` or in `cpu_custom`; `None` for the best that the host has.
    pub fn cpu_model(&self) -> Option<&str> {
        let spec = self.spec();
        let custom = || match spec.cpu_custom.as_ref()?.get("model")? {
            Value::String(model) => Some(model.as_str()),
            element => element.get("#text")?.as_str(),
        };
        spec.cpu_model.as_deref().or_else(custom)
    }

    /// What suites and plugins have written for themselves.
    pub fn metadata(&self) -> &JsonMap {
        &self.spec().metadata
    }

    /// The password of root in the guest.
    pub fn root_password(&self) -> &str {
        &self.spec().root_password
    }

    /// The name by which the guest calls itself where it uses disks over iSCSI.
    pub fn iscsi_name(&self) -> String {
        initiator_name(self.name())
    }
}
