//! What an environment is made of and what it runs on, for the reports.
//!
//! It is gathered beside the run, so what cannot be found out is left out and changes nothing.

use std::fs;
use std::thread;

use lago::InitOptions;
use lago::host::versions;
use lago::prefix::Record;
use lago::spec::{Disk, DiskKind};
use lago::templates::{TemplateStore, find_template};

use super::{Environment, EnvironmentSpec, options};
use crate::events::{EnvironmentFacts, TemplateFacts, VmFacts};
use crate::result::Failure;

impl Environment {
    /// What there is to say about it. Asks QEMU and libvirt for their versions, which takes a moment.
    pub(crate) fn facts(&self, spec: &EnvironmentSpec) -> EnvironmentFacts {
        let record = self.prefix.record();
        let options = self.options(spec).ok();
        let vms = self.prefix.vms().map(|vm| {
            let domain = vm.spec();
            let templates =
                domain.disks.iter().filter_map(|disk| template(disk, options.as_ref()?));
            VmFacts {
                name: vm.name().to_owned(),
                ip: Some(vm.ip()),
                processors: domain.vcpu,
                memory_mib: domain.memory,
                templates: templates.collect(),
            }
        });
        EnvironmentFacts {
            lago: record.lago.clone(),
            qemu: versions::emulator().ok(),
            libvirt: versions::libvirt().ok(),
            host: record.host.to_string(),
            acceleration: record.acceleration.to_string(),
            processor: processor(),
            processors: thread::available_parallelism().ok().map(Into::into),
            memory_mib: memory_mib(),
            vms: vms.collect(),
        }
    }

    fn options(&self, spec: &EnvironmentSpec) -> Result<InitOptions, Failure> {
        let Record { init_file, .. } = self.prefix.record();
        let config = lago::config::Config::load()?;
        options(spec, init_file.clone(), self.directory(), &config)
    }
}

/// The template that a disk is made from, if it is made from one.
fn template(disk: &Disk, options: &InitOptions) -> Option<TemplateFacts> {
    let DiskKind::Template { name, version, .. } = &disk.kind else { return None };
    let found = find_template(&options.repositories, name, version.as_deref()).ok()?;
    let digest = || {
        let store = TemplateStore::open(options.store.as_deref()?).ok()?;
        let digest = store.get_stored_hash(found).ok()?;
        Some(format!("{}:{digest}", digest.algorithm()))
    };
    Some(TemplateFacts {
        dev: disk.dev.clone(),
        version: found.name().to_owned(),
        digest: digest(),
    })
}

/// The name of this machine's processor.
fn processor() -> Option<String> {
    field(&fs::read_to_string("/proc/cpuinfo").ok()?, "model name").map(str::to_owned)
}

/// The memory of this machine.
fn memory_mib() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let kib: u64 = field(&text, "MemTotal")?.strip_suffix(" kB")?.parse().ok()?;
    Some(kib / 1024)
}

/// The value of the first line `name: value`, as files in `/proc` have them.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(known, _)| known.trim() == name).map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_names() {
        let text = "MemTotalHuge:  1 kB\nMemTotal:       24568 kB\nmodel name\t: A: B\n";
        assert_eq!(field(text, "MemTotal"), Some("24568 kB"));
        assert_eq!(field(text, "model name"), Some("A: B"));
        assert_eq!(field(text, "flags"), None);
    }

    #[test]
    fn this_machine_has_memory() {
        assert!(memory_mib().unwrap() > 0);
    }
}
