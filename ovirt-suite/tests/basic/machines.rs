//! What the machines themselves say, beside what the engine says of them.

use lago_test::lago::cmd;
use lago_test::limits::SHORT;
use lago_test::{Context, Failure, FromContext, Needs, TestResult, assert_equals_within};
use ovirt_suite::OvirtPrefix;
use ovirt_suite::api::types::{Host, Id, Model as _, Vm};
use ovirt_suite::testlib::external::ExternalEngine;

use crate::site::{NFS_PATH, NFS_SERVER};

/// The machines of this prefix. Those of an engine that exists already are not looked at: nobody gave a way into them.
pub(crate) struct Machines(Option<OvirtPrefix>);

impl FromContext for Machines {
    fn requires(_: &mut Needs) {}

    fn from_context(context: &Context) -> Result<Self, Failure> {
        if ExternalEngine::from_env().is_some() {
            return Ok(Self(None));
        }
        Ok(Self(Some(OvirtPrefix::new(context.prefix()?.clone())?)))
    }
}

impl Machines {
    /// Of how many volumes a disk on the NFS server consists there: each is a file.
    pub(crate) fn volumes(&self, disk: &Id) -> Result<Option<usize>, Failure> {
        let Some(prefix) = &self.0 else { return Ok(None) };
        // Beside its volumes a disk has files with an ending: leases and descriptions.
        let pattern = format!("*/images/{disk}/*");
        let find = cmd!("find", NFS_PATH, "-type", "f", "-path", pattern, "!", "-name", "*.*");
        let found = prefix.virt_env().get_vm(NFS_SERVER)?.run(find)?;
        Ok(Some(found.stdout().lines().count()))
    }

    /// The one host runs the VM, and no other does, as their vdsm says.
    pub(crate) fn assert_runs_on(&self, vm: &Id, host: &Host) -> TestResult {
        let Some(prefix) = &self.0 else { return Ok(()) };
        let expected: Vec<&str> = host.name().into_iter().collect();
        // For a moment both hosts have a VM that moves.
        assert_equals_within(SHORT, expected, || {
            let mut running = Vec::new();
            for machine in prefix.virt_env().host_vms() {
                let listed = machine.run(cmd!("vdsm-client", "Host", "getVMList"))?;
                let vms: Vec<String> = serde_json::from_slice(listed.stdout_bytes())?;
                if vms.iter().any(|id| id == vm.as_str()) {
                    running.push(machine.name());
                }
            }
            Ok(running)
        })
    }

    /// Whether a VM has a device on its host: `key` is what devices of its kind are told apart by there.
    pub(crate) fn assert_device(
        &self,
        vm: &Vm,
        key: &str,
        value: &str,
        expected: bool,
    ) -> TestResult {
        let Some(prefix) = &self.0 else { return Ok(()) };
        let id = vm.id()?.as_str();
        assert_equals_within(SHORT, expected, || {
            for machine in prefix.virt_env().host_vms() {
                let listed = machine.run(cmd!("vdsm-client", "Host", "getVMFullList"))?;
                let vms: Vec<serde_json::Value> = serde_json::from_slice(listed.stdout_bytes())?;
                let Some(found) = vms.iter().find(|vm| vm["vmId"] == id) else { continue };
                let devices = found["devices"].as_array().map(Vec::as_slice).unwrap_or_default();
                return Ok(devices.iter().any(|device| device[key] == value));
            }
            Err(Failure::new(format!("no host runs VM {id}")))
        })
    }
}
