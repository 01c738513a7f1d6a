//! Environments that Lago 1.0 made: they can be looked at here.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use sha1::{Digest as _, Sha1};

use super::{NO_ADDRESS, in_lagos_words};
use crate::cli::context::Context;
use crate::config::Config;
use crate::host::Host;
use crate::paths::Paths;
use crate::utils::{error_chain, read_json, read_text};
use crate::virt::VmState;
use crate::virt::connection::{Connection, QUESTION_LIMIT};

/// Where Lago runs VMs when nothing else is set.
const DEFAULT_LIBVIRT: &str = "qemu:///system";

/// Lago's limit on the names of networks, which are those of their bridges.
const NET_NAME_LENGTH: usize = 15;

/// A prefix that Lago made.
pub(super) struct Environment {
    path: PathBuf,
    uuid: String,
    nets: Vec<Value>,
    vms: Vec<Value>,
}

impl Environment {
    /// The one that the command line names or that the current directory is, if it is one of Lago's.
    pub(super) fn around(context: &Context) -> anyhow::Result<Option<Self>> {
        let path = match &context.which.prefix_path {
            Some(path) => std::path::absolute(path)?,
            None if context.which.workdir.is_none() => std::env::current_dir()?,
            None => return Ok(None),
        };
        let paths = Paths::new(&path);
        if paths.is_prefix() || !paths.initialized().is_file() {
            return Ok(None);
        }
        let virt = path.join("virt");
        if !virt.join("env").is_file() {
            return Ok(None);
        }
        let env: Value = read_json(&virt.join("env"))?;
        let read = |kind: &str, names: &Value| {
            let names = names.as_array().into_iter().flatten().filter_map(Value::as_str);
            names.map(|name| read_json(&virt.join(format!("{kind}-{name}")))).collect()
        };
        let nets: Result<_, _> = read("net", &env["nets"]);
        let vms: Result<_, _> = read("vm", &env["vms"]);
        let uuid = read_text(&paths.uuid())?.trim().to_owned();
        Ok(Some(Self { path, uuid, nets: nets?, vms: vms? }))
    }

    pub(super) fn status(&self, config: &Config) -> Value {
        let uri = config.libvirt_uri.as_deref().unwrap_or(DEFAULT_LIBVIRT);
        let running = Running::find(uri);
        let nets: Map<_, _> = self.nets.iter().map(|net| self.net(net, &running)).collect();
        let vms: Map<_, _> = self.vms.iter().map(|vm| self.vm(vm, &running)).collect();
        json!({
            "Prefix": {
                "Base directory": self.path,
                "UUID": self.uuid,
                "Networks": nets,
                "VMs": vms,
            }
        })
    }

    fn net(&self, net: &Value, running: &Running) -> (String, Value) {
        let name = text(&net["name"]);
        let up = running.nets.contains(&self.net_name(&name));
        let shown = json!({
            "gateway": net["gw"],
            "status": if up { "up" } else { "down" },
            "management": net["management"].as_bool().unwrap_or(false),
        });
        (name, shown)
    }

    fn vm(&self, vm: &Value, running: &Running) -> (String, Value) {
        let name = text(&vm["name"]);
        let domain = format!("{}-{name}", self.short_uuid(8));
        let state = running.domains.iter().find(|(known, _)| *known == domain);
        let state = state.map_or(VmState::Down, |(_, state)| *state);
        let password = [&vm["root-password"], &vm["ssh-password"]]
            .into_iter()
            .find(|password| password.is_string());
        let of_template = &vm["disks"][0]["metadata"]["distro"];
        let distro = if vm["distro"].is_null() { of_template } else { &vm["distro"] };
        let snapshots: Vec<_> =
            vm["snapshots"].as_object().into_iter().flatten().map(|(name, _)| &**name).collect();
        let nics: Map<String, Value> = vm["nics"]
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
            .map(|(number, nic)| {
                let ip = if nic["ip"].is_null() { &json!(NO_ADDRESS) } else { &nic["ip"] };
                (format!("eth{number}"), json!({ "network": nic["net"], "ip": ip }))
            })
            .collect();
        let metadata = if vm["metadata"].is_null() { json!({}) } else { vm["metadata"].clone() };
        let shown = json!({
            "distro": distro,
            "root password": password.map_or_else(|| json!(""), Clone::clone),
            "status": in_lagos_words(state),
            "snapshots": snapshots.join(", "),
            "metadata": metadata,
            "NICs": nics,
        });
        (name, shown)
    }

    fn short_uuid(&self, length: usize) -> &str {
        self.uuid.get(..length).unwrap_or(&self.uuid)
    }

    /// The name of a network under libvirt: one that is too long is replaced by its digest.
    fn net_name(&self, name: &str) -> String {
        let uuid = self.short_uuid(4);
        let room = NET_NAME_LENGTH - uuid.len() - 1;
        if name.len() <= room {
            return format!("{uuid}-{name}");
        }
        let digest = format!("{:x}", Sha1::digest(name));
        format!("{uuid}-{}", &digest[..room])
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What runs under the libvirt that Lago used.
#[derive(Default)]
struct Running {
    domains: Vec<(String, VmState)>,
    nets: Vec<String>,
}

impl Running {
    /// Where no libvirt is to be reached, nothing of Lago's runs.
    fn find(uri: &str) -> Self {
        let connection = Arc::new(Connection::new(Host::uri(uri)));
        let found = connection.call(QUESTION_LIMIT, |connect| {
            let mut running = Self::default();
            for domain in connect.list_all_domains(0)? {
                running.domains.push((domain.name()?, domain.state()?.0.into()));
            }
            for net in connect.list_all_networks(0)? {
                if net.is_active()? {
                    running.nets.push(net.name()?);
                }
            }
            Ok::<_, virt::error::Error>(running)
        });
        match found {
            Ok(Ok(running)) => running,
            Ok(Err(error)) => {
                tracing::debug!("nothing is known of what runs at {uri}: {}", error.message());
                Self::default()
            }
            Err(error) => {
                tracing::debug!("nothing is known of what runs: {}", error_chain(&error));
                Self::default()
            }
        }
    }
}
