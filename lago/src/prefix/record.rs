//! What was decided when a prefix was made; the file by which a directory is known as a prefix.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::attached::VmDevices;
use super::disks::DiskImage;
use super::identity::is_of_lago;
use super::mappings::PrefixMappings;
use super::state::AttachedNic;
use crate::deploy::Scripts;
use crate::guest::{HostKey, Password, Reach, Ssh, SshTarget, keys};
use crate::host::{Acceleration, Host};
use crate::paths::Paths;
use crate::spec::{Domain, Firmware, Graphics, InitFile, JsonMap, Plan, PlannedVm};
use crate::utils::{read_json, write_json};
use crate::virt::connection::Connection;
use crate::virt::domain_xml::{DomainDescription, NicDevice, Processor};
use crate::virt::names::Mappings;
use crate::virt::reach::{RemoteReach, VmReach};
use crate::virt::{Network, VirtEnv, VirtError, Vm, VmParts, tap};
use crate::{Result, constants};

/// Where ssh listens in a guest.
const SSH_PORT: u16 = 22;

/// What was decided when the prefix was made. It does not change afterwards.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    format: u32,
    /// The version of lago that made the prefix.
    pub lago: String,
    /// The identity of the environment. Names on a shared host are made from it.
    pub id: Uuid,
    /// Where the domains run.
    pub host: HostKind,
    /// How the domains run.
    pub acceleration: Acceleration,
    /// The init file, with prototypes applied.
    pub init_file: InitFile,
    /// The addresses and names that the init file left open.
    pub plan: Plan,
    /// The disks of each VM as they were made, the boot disk first.
    pub disks: IndexMap<String, Vec<DiskImage>>,
    /// What is known about the content of disks, by the VMs' names and the disks' device names: what the templates say, and
    /// the init file.
    #[serde(default)]
    pub disk_metadata: IndexMap<String, IndexMap<String, JsonMap>>,
    /// The deploy scripts that were copied into the prefix, by the VMs' names.
    #[serde(default)]
    pub(crate) deploy_scripts: Scripts,
    /// Where the leases of its subnets are, on a host that several prefixes share.
    #[serde(default)]
    pub lease_dir: Option<PathBuf>,
    /// Where the machines are that lago does not start, by their names.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub(crate) remote: IndexMap<String, SocketAddr>,
    /// What the prefix was forked from, if it is a fork.
    #[serde(default)]
    pub origin: Option<Origin>,
    /// Whether names under libvirt say whose they are on a private host as well. The memory of a domain fits only the
    /// name that it had, and it may have had it on a shared host.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) marked_names: bool,
}

/// What a fork stands on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The prefix.
    pub prefix: PathBuf,
    /// The snapshot in it.
    pub snapshot: String,
}

/// Where the domains of a prefix run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostKind {
    /// On a libvirtd of the prefix's own, in namespaces of its own.
    Private,
    /// On the libvirt at this URI.
    Uri(String),
}

impl HostKind {
    /// Reads a setting: `private`, or a libvirt URI.
    pub fn from_setting(setting: &str) -> Self {
        match setting {
            "private" => Self::Private,
            uri => Self::Uri(uri.to_owned()),
        }
    }

    pub(super) fn host(&self, paths: &Paths) -> Host {
        match self {
            Self::Private => Host::private(paths.host()),
            Self::Uri(uri) => Host::uri(uri),
        }
    }
}

impl fmt::Display for HostKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Private => "private",
            Self::Uri(uri) => uri,
        })
    }
}

impl Record {
    pub(crate) fn new(
        id: Uuid,
        host: HostKind,
        acceleration: Acceleration,
        init_file: InitFile,
        plan: Plan,
        disks: IndexMap<String, Vec<DiskImage>>,
    ) -> Self {
        let lago = constants::VERSION.to_owned();
        Self {
            format: constants::PREFIX_FORMAT,
            lago,
            id,
            host,
            acceleration,
            init_file,
            plan,
            disks,
            disk_metadata: IndexMap::new(),
            lease_dir: None,
            remote: IndexMap::new(),
            origin: None,
            deploy_scripts: Scripts::default(),
            marked_names: false,
        }
    }

    fn metadata_of_first_disk(&self, vm: &PlannedVm) -> Option<&JsonMap> {
        let first = self.init_file.domains[&vm.name].disks.first()?;
        self.disk_metadata.get(&vm.name)?.get(&first.dev)
    }

    /// The distribution in a VM: the init file's `distro`, or what the template of its first disk says.
    pub fn distro(&self, vm: &str) -> Option<&str> {
        let domain = self.init_file.domains.get(vm)?;
        let of_template = || {
            let first = domain.disks.first()?;
            self.disk_metadata.get(vm)?.get(&first.dev)?.get("distro")?.as_str()
        };
        domain.distro.as_deref().or_else(of_template)
    }

    /// The name of something of this environment under libvirt. A private host is the environment's alone; on a shared
    /// one the name says whose it is.
    pub(crate) fn libvirt_name(&self, name: &str) -> String {
        if self.marked_names || self.host != HostKind::Private {
            return format!("{}-{name}", &self.id.simple().to_string()[..8]);
        }
        name.to_owned()
    }

    /// Whether a VM has UEFI firmware, and so variables of its own.
    pub(crate) fn has_uefi(&self, vm: &str) -> bool {
        self.init_file.domains.get(vm).is_some_and(|domain| domain.firmware == Firmware::Uefi)
    }

    /// Moves it to a private host of its own, under the names that it has.
    pub(crate) fn on_private_host(self) -> Self {
        let marked_names = self.marked_names || self.host != HostKind::Private;
        let mut plan = self.plan;
        for net in &mut plan.nets {
            // There it has none to join; one of its own may have the same name.
            net.joins_bridge = false;
        }
        Self { host: HostKind::Private, lease_dir: None, origin: None, marked_names, plan, ..self }
    }

    pub(crate) fn read(paths: &Paths) -> Result<Self> {
        paths.check()?;
        Ok(read_json(&paths.record())?)
    }

    pub(crate) fn write(&self, paths: &Paths) -> Result<()> {
        Ok(write_json(&paths.record(), self)?)
    }

    /// The objects through which the environment is used.
    pub(super) fn assemble(self: &Arc<Self>, paths: &Paths) -> Result<VirtEnv> {
        let connection = Arc::new(Connection::new(self.host.host(paths)));
        let mappings: Arc<dyn Mappings> = Arc::new(PrefixMappings {
            paths: paths.clone(),
            record: Arc::clone(self),
            connection: Arc::clone(&connection),
        });
        let networks = self.plan.nets.iter().map(|net| {
            let name = self.libvirt_name(&net.name);
            Network::new(net, &self.plan, name, Arc::clone(&mappings), Arc::clone(&connection))
        });
        let vms = self
            .plan
            .vms
            .iter()
            .map(|vm| self.assemble_vm(vm, paths, &connection))
            .collect::<Result<Vec<_>>>()?;
        Ok(VirtEnv::new(Arc::clone(&connection), networks, vms))
    }

    fn assemble_vm(
        self: &Arc<Self>,
        planned: &PlannedVm,
        paths: &Paths,
        connection: &Arc<Connection>,
    ) -> Result<Vm> {
        let spec = &self.init_file.domains[&planned.name];
        let description = self.describe(planned, spec, paths);
        let remote = self.remote.get(&planned.name).copied();
        let in_net = planned.management_ip().map(|ip| SocketAddr::from((ip, SSH_PORT)));
        let address =
            remote.or(in_net).ok_or_else(|| VirtError::NoAddress { vm: planned.name.clone() })?;
        // Whether the guest may know neither the key that it was given nor the one that is to let us in.
        let is_strange = remote.is_none()
            && (!spec.bootstrap || is_of_lago(spec, self.metadata_of_first_disk(planned)));
        let access = spec.ssh.as_ref().filter(|_| remote.is_some());
        let password = match remote {
            Some(_) => access.and_then(|access| access.password.as_ref()),
            None => Some(&spec.ssh_password).filter(|_| is_strange),
        };
        let target = SshTarget {
            vm: planned.name.clone(),
            address,
            user: spec.ssh_user.clone(),
            identity: access
                .and_then(|access| access.identity.clone())
                .unwrap_or_else(|| paths.identity()),
            host_key: if is_strange {
                HostKey::Learned(paths.learned_host_key(&planned.name))
            } else {
                keys::load_public(&paths.host_key_pub(&planned.name))?.into()
            },
            password: password.map(Password::new),
        };
        let reach = Arc::new(VmReach::new(
            description.name.clone(),
            Arc::clone(connection),
            description.console_log.clone(),
        ));
        let way: Arc<dyn Reach> =
            if remote.is_some() { Arc::new(RemoteReach) } else { Arc::clone(&reach) as _ };
        let devices =
            VmDevices { paths: paths.clone(), record: Arc::clone(self), vm: planned.name.clone() };
        Ok(Vm::new(VmParts {
            spec: spec.clone(),
            plan: planned.clone(),
            description,
            devices: Box::new(devices),
            vnc_password: (spec.graphics == Graphics::Vnc)
                .then(|| paths.vnc_password(&planned.name)),
            connection: Arc::clone(connection),
            ssh: Ssh::new(target, Arc::clone(&way)),
            way,
            reach,
        }))
    }

    /// A card that was attached later, as the domain has it.
    pub(super) fn attached_nic(&self, vm: &str, nic: &AttachedNic) -> NicDevice {
        let uuid = Uuid::new_v5(&self.id, vm.as_bytes());
        NicDevice {
            network: self.libvirt_name(&nic.planned.net),
            mac: nic.planned.mac.clone(),
            tap: tap::name(vm, uuid, nic.number),
            mtu: nic.planned.mtu,
            detachable: true,
        }
    }

    fn describe(&self, planned: &PlannedVm, spec: &Domain, paths: &Paths) -> DomainDescription {
        let uuid = Uuid::new_v5(&self.id, planned.name.as_bytes());
        let nics = planned.nics.iter().enumerate().map(|(number, nic)| NicDevice {
            network: self.libvirt_name(&nic.net),
            mac: nic.mac.clone(),
            tap: tap::name(&planned.name, uuid, number),
            mtu: nic.mtu,
            detachable: false,
        });
        DomainDescription {
            name: self.libvirt_name(&planned.name),
            uuid,
            memory: spec.memory,
            cpus: spec.vcpu,
            sockets: spec.cpu,
            cpu: processor(spec),
            acceleration: self.acceleration,
            nvram: (spec.firmware == Firmware::Uefi).then(|| paths.nvram(&planned.name)),
            vnc: None,
            disks: Vec::new(),
            nics: nics.collect(),
            console_log: paths.console_log(&planned.name),
        }
    }
}

fn processor(spec: &Domain) -> Processor {
    match (&spec.cpu_custom, &spec.cpu_model) {
        (Some(custom), _) => Processor::Custom(custom.clone()),
        (None, Some(model)) => Processor::Model(model.clone()),
        (None, None) => Processor::Best,
    }
}
