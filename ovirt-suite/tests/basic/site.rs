//! Where the hosts and the storage are.

use std::env;

use lago_test::{Context, Failure, FromContext, Needs, ensure};
use ovirt_suite::OvirtPrefix;
use ovirt_suite::testlib::external::ExternalEngine;

/// With an engine that exists already: its hosts, as `name=address,name=address`.
const HOSTS: &str = "OVIRT_HOSTS";

/// With an engine that exists already: the password of root on its hosts.
const HOST_PASSWORD: &str = "OVIRT_HOST_PASSWORD";

/// With an engine that exists already: the address of the NFS server. It exports [`NFS_PATH`] and so on.
const NFS_ADDRESS: &str = "OVIRT_NFS_ADDRESS";

/// With an engine that exists already: the address of the iSCSI portal.
const ISCSI_ADDRESS: &str = "OVIRT_ISCSI_ADDRESS";

/// The VMs that are storage.
pub(crate) const NFS_SERVER: &str = "storage-nfs";
pub(crate) const ISCSI_SERVER: &str = "storage-iscsi";

/// What the NFS server exports, as `deploy/nfs.sh` sets it up.
pub(crate) const NFS_PATH: &str = "/exports/nfs/share1";
pub(crate) const ISO_PATH: &str = "/exports/nfs/iso";
pub(crate) const EXPORT_PATH: &str = "/exports/nfs/exported";

/// What the iSCSI server offers, as `deploy/iscsi.sh` sets it up.
pub(crate) const ISCSI_TARGET: &str = "iqn.2014-07.org.ovirt:storage";
pub(crate) const ISCSI_PORT: u16 = 3260;

/// Where the hosts and the storage are: VMs of the prefix, or what the environment says.
pub(crate) struct Site {
    pub(crate) hosts: Vec<HostMachine>,
    pub(crate) nfs: String,
    pub(crate) iscsi: String,
}

/// A machine that is to be a host.
pub(crate) struct HostMachine {
    pub(crate) name: String,
    pub(crate) address: String,
    pub(crate) root_password: String,
}

impl FromContext for Site {
    fn requires(needs: &mut Needs) {
        if ExternalEngine::from_env().is_none() {
            for storage in [NFS_SERVER, ISCSI_SERVER] {
                needs.vm(storage);
            }
        }
    }

    fn from_context(context: &Context) -> Result<Self, Failure> {
        if ExternalEngine::from_env().is_some() { Self::external() } else { Self::own(context) }
    }
}

impl Site {
    fn own(context: &Context) -> Result<Self, Failure> {
        let prefix = OvirtPrefix::new(context.prefix()?.clone())?;
        let hosts = prefix.virt_env().host_vms().iter().map(|vm| HostMachine {
            name: vm.name().to_owned(),
            address: vm.ip().to_string(),
            root_password: vm.root_password().to_owned(),
        });
        let address = |name: &str| Ok::<_, Failure>(context.vm(name)?.ip().to_string());
        Ok(Self {
            hosts: hosts.collect(),
            nfs: address(NFS_SERVER)?,
            iscsi: address(ISCSI_SERVER)?,
        })
    }

    fn external() -> Result<Self, Failure> {
        let variable = |name: &str| {
            let missing = format!("{name} is not set; an engine that exists already needs it");
            env::var(name).map_err(|_| Failure::infrastructure(missing))
        };
        let root_password = variable(HOST_PASSWORD)?;
        let text = variable(HOSTS)?;
        let hosts = text.split(',').filter_map(|host| host.trim().split_once('='));
        let hosts: Vec<HostMachine> = hosts
            .map(|(name, address)| HostMachine {
                name: name.to_owned(),
                address: address.to_owned(),
                root_password: root_password.clone(),
            })
            .collect();
        ensure!(
            !hosts.is_empty(),
            "{HOSTS} is {text:?}, which names no host: name=address,name=address"
        );
        Ok(Self { hosts, nfs: variable(NFS_ADDRESS)?, iscsi: variable(ISCSI_ADDRESS)? })
    }
}
