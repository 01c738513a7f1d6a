//! The VMs of a prefix as an inventory of Ansible's.
//!
//! A group is a key of a VM's description and its value, such as `vm-type=default`. A key may lead deeper:
//! `disks/0/metadata/distro`, `nics/0/net`. A list makes a group of each of its items. The members of `groups` are groups of
//! that very name, too.

use std::fmt::Write as _;
use std::path::Path;

use indexmap::IndexMap;
use serde_json::{Value, json};

use crate::guest::ssh::path_in_config;
use crate::spec::{DiskFormat, Domain, VmProvider};
use crate::{Prefix, Vm};

/// The keys of the groups when none are named.
pub const DEFAULT_KEYS: [&str; 3] = ["vm-type", "groups", "vm-provider"];

/// The key whose items are groups by themselves.
const GROUPS: &str = "groups";

/// The hosts of each group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    groups: IndexMap<String, Vec<String>>,
}

impl Inventory {
    /// Of all VMs, grouped by these keys, or by [`DEFAULT_KEYS`] when there are none. On a private host the VMs are reached
    /// through the program `lago`, as their addresses exist only in there.
    pub fn new(prefix: &Prefix, keys: &[String], lago: &Path) -> Self {
        let mut inventory = Self { groups: IndexMap::new() };
        for vm in prefix.vms() {
            let line = line(prefix, vm, lago);
            inventory.add(&described(prefix, vm), keys, &line);
        }
        inventory
    }

    fn add(&mut self, vm: &Value, keys: &[String], line: &str) {
        let usual = DEFAULT_KEYS.iter().map(|key| (*key).to_owned());
        let keys = if keys.is_empty() { usual.collect() } else { keys.to_vec() };
        for key in keys {
            match at(vm, &key) {
                None | Some(Value::Null) => {}
                Some(Value::Array(items)) => {
                    for item in items {
                        self.put(group(&key, item), line);
                    }
                }
                Some(value) => self.put(group(&key, value), line),
            }
        }
        for name in vm[GROUPS].as_array().into_iter().flatten().filter_map(Value::as_str) {
            self.put(name.to_owned(), line);
        }
    }

    fn put(&mut self, group: String, line: &str) {
        let hosts = self.groups.entry(group).or_default();
        if !hosts.iter().any(|host| host == line) {
            hosts.push(line.to_owned());
        }
    }

    /// The inventory as an INI file, each group's hosts in alphabetical order.
    pub fn to_ini(&self) -> String {
        let mut lines = Vec::new();
        for (group, hosts) in &self.groups {
            lines.push(format!("[{group}]"));
            let mut hosts = hosts.clone();
            hosts.sort();
            lines.extend(hosts);
        }
        lines.join("\n")
    }
}

fn group(key: &str, value: &Value) -> String {
    match value {
        Value::String(text) => format!("{key}={text}"),
        Value::Bool(true) => format!("{key}=True"),
        Value::Bool(false) => format!("{key}=False"),
        other => format!("{key}={other}"),
    }
}

/// What a path of keys and indices leads to.
fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split('/').try_fold(value, |value, key| match value {
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        other => other.get(key),
    })
}

/// A VM as the init file describes it, in the init file's words, with what the templates say.
fn described(prefix: &Prefix, vm: &Vm) -> Value {
    let spec = vm.spec();
    let disks = spec.disks.iter().map(|disk| {
        let known = prefix.record().disk_metadata.get(vm.name());
        let metadata = known.and_then(|disks| disks.get(&disk.dev)).unwrap_or(&disk.metadata);
        let format = if disk.format == DiskFormat::Iso { "iso" } else { disk.format.qemu_name() };
        json!({ "name": disk.name, "dev": disk.dev, "format": format, "metadata": metadata })
    });
    let nics = vm.nics().iter().map(|nic| json!({ "net": nic.net, "ip": nic.ip }));
    let mut described = json!({
        "name": vm.name(),
        "memory": spec.memory,
        "vcpu": spec.vcpu,
        "cpu_model": spec.cpu_model,
        "vm-type": spec.vm_type,
        "vm-provider": provider(spec),
        "metadata": prefix.metadata_with_copies(vm),
        "distro": prefix.record().distro(vm.name()),
        "service_provider": spec.service_provider,
        "ssh-user": spec.ssh_user,
        "disks": disks.collect::<Value>(),
        "nics": nics.collect::<Value>(),
    });
    if !spec.groups.is_empty() {
        described[GROUPS] = json!(spec.groups);
    }
    described
}

fn provider(spec: &Domain) -> &'static str {
    match spec.vm_provider {
        VmProvider::LocalLibvirt => "local-libvirt",
        VmProvider::Ssh => "ssh",
    }
}

fn line(prefix: &Prefix, vm: &Vm, lago: &Path) -> String {
    let (paths, target) = (prefix.paths(), vm.ssh().target());
    let mut line = format!(
        "{} ansible_host={} ansible_ssh_private_key_file={}",
        vm.name(),
        vm.ip(),
        joined(&[&*target.identity.to_string_lossy()])
    );
    if vm.is_remote() {
        let (port, user) = (target.address.port(), joined(&[&target.user]));
        let _ = write!(line, " ansible_port={port} ansible_user={user}");
    }
    if prefix.host().is_private() || vm.is_remote() {
        let proxy = joined(&[
            &*lago.to_string_lossy(),
            "--prefix-path",
            &*paths.prefix().to_string_lossy(),
            "connect",
            vm.name(),
        ]);
        let proxy = format!("ProxyCommand={} %p", proxy.replace('%', "%%"));
        let way = if vm.is_remote() { &[][..] } else { &["-o", &proxy] };
        let (known_hosts, checking) = paths.known_hosts_of(vm.has_given_host_key());
        let known_as = [
            "-o",
            &format!("UserKnownHostsFile={}", path_in_config(&known_hosts)),
            "-o",
            &format!("StrictHostKeyChecking={checking}"),
            "-o",
            &format!("HostKeyAlias={}", vm.name()),
        ];
        let options = joined(&[way, &known_as].concat());
        line.push_str(" ansible_ssh_common_args=");
        line.push_str(&joined(&[&options]));
    }
    line
}

/// A line that is split into these words again, by shells and by Ansible.
fn joined(words: &[&str]) -> String {
    shlex::try_join(words.iter().copied()).unwrap_or_else(|_| words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory(keys: &[&str]) -> String {
        let server = json!({
            "vm-type": "ovirt-engine", "vm-provider": "local-libvirt", "groups": ["web", "db"],
            "disks": [{ "metadata": { "distro": "el7" } }], "on": true, "memory": 512,
        });
        let client = json!({
            "vm-type": "default", "vm-provider": "local-libvirt",
            "disks": [{ "metadata": {} }],
        });
        let keys: Vec<_> = keys.iter().map(|key| (*key).to_owned()).collect();
        let mut inventory = Inventory { groups: IndexMap::new() };
        inventory.add(&server, &keys, "server ansible_host=1.2.3.4");
        inventory.add(&client, &keys, "client ansible_host=1.2.3.5");
        inventory.to_ini()
    }

    #[test]
    fn the_usual_groups() {
        insta::assert_snapshot!(inventory(&[]), @r"
        [vm-type=ovirt-engine]
        server ansible_host=1.2.3.4
        [groups=web]
        server ansible_host=1.2.3.4
        [groups=db]
        server ansible_host=1.2.3.4
        [vm-provider=local-libvirt]
        client ansible_host=1.2.3.5
        server ansible_host=1.2.3.4
        [web]
        server ansible_host=1.2.3.4
        [db]
        server ansible_host=1.2.3.4
        [vm-type=default]
        client ansible_host=1.2.3.5
        ");
    }

    #[test]
    fn keys_lead_into_what_is_nested_and_may_lead_nowhere() {
        let text = inventory(&["/disks/0/metadata/distro", "on", "memory", "disks/7", "none/0"]);
        let groups: Vec<_> = text.lines().filter(|line| line.starts_with('[')).collect();
        assert_eq!(
            groups,
            ["[/disks/0/metadata/distro=el7]", "[on=True]", "[memory=512]", "[web]", "[db]"]
        );
    }
}
