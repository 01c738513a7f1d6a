//! What a VM's identity is made of.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::Path;

use ipnet::Ipv6Net;
use ssh_key::{Algorithm, PrivateKey, PublicKey};
use uuid::Uuid;

use super::modification::{DhcpInterface, Modification};
use super::nocloud::SeedFiles;
use super::values::{is_hostname, is_iscsi_name, is_mac, is_password};
use super::{SysprepError, volume};
use crate::spec::SelinuxMode;
use crate::utils::{PRIVATE_MODE, write_file};

/// A NIC of a VM, as its guest sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedNic {
    /// The MAC address by which the guest finds it.
    pub mac: String,
    /// Whether the guest takes its default route from this NIC's network.
    pub management: bool,
    /// Its IPv6 address, if it has one.
    pub ip6: Option<SeedIp6>,
    /// The DNS domain of its network, in which the guest looks for names without a dot. systemd-resolved looks for them in
    /// no other way, and asks no DHCP server for the domain.
    pub domain: Option<String>,
}

/// The IPv6 address of a NIC. There is no server that the guest could ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeedIp6 {
    /// The address, with the length of its subnet's prefix.
    pub address: Ipv6Net,
    /// Where the guest sends what is for elsewhere.
    pub gateway: Option<Ipv6Addr>,
}

/// The identity of a VM.
///
/// ```
/// # use lago::sysprep::{Seed, SeedNic};
/// # use ssh_key::{Algorithm, PrivateKey, rand_core::OsRng};
/// # let dir = tempfile::tempdir().unwrap();
/// let key = || PrivateKey::random(&mut OsRng, Algorithm::Ed25519).unwrap();
/// let seed = Seed {
///     instance_id: uuid::Uuid::new_v4(),
///     hostname: "client".to_owned(),
///     nics: vec![SeedNic { mac: "54:52:c0:a8:c8:02".to_owned(), management: true, ip6: None, domain: None }],
///     authorized_keys: vec![key().public_key().clone()],
///     host_key: key(),
///     root_password: "123456".to_owned(),
///     iscsi_initiator_name: "iqn.2014-07.org.lago:client".to_owned(),
///     selinux: None,
/// };
/// seed.write(&dir.path().join("client-seed.img")).unwrap();
/// ```
#[derive(Clone)]
pub struct Seed {
    /// What the guest takes as its first boot: a new value makes it apply the seed again.
    pub instance_id: Uuid,
    /// The host name.
    pub hostname: String,
    /// The NICs, which become `eth0`, `eth1` and so on.
    pub nics: Vec<SeedNic>,
    /// The keys that may log in as root.
    pub authorized_keys: Vec<PublicKey>,
    /// The ed25519 key by which the guest's ssh server proves who it is.
    pub host_key: PrivateKey,
    /// The password of root.
    pub root_password: String,
    /// The name by which it calls itself to iSCSI targets.
    pub iscsi_initiator_name: String,
    /// What SELinux does in it; what the image says if absent.
    pub selinux: Option<SelinuxMode>,
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seed")
            .field("instance_id", &self.instance_id)
            .field("hostname", &self.hostname)
            .field("nics", &self.nics)
            .finish_non_exhaustive()
    }
}

impl Seed {
    /// The three files of the seed.
    pub fn files(&self) -> Result<SeedFiles, SysprepError> {
        self.validate()?;
        SeedFiles::of(self)
            .map_err(|source| SysprepError::Key { hostname: self.hostname.clone(), source })
    }

    /// Writes the seed as the image of a volume to `path`, completely or not at all, with mode 0600.
    pub fn write(&self, path: &Path) -> Result<(), SysprepError> {
        let files = self.files()?;
        let image = volume::image(&files.named())
            .map_err(|source| SysprepError::Volume { hostname: self.hostname.clone(), source })?;
        Ok(write_file(path, &image, PRIVATE_MODE)?)
    }

    /// The same identity as changes for [`sysprep`](super::sysprep()).
    pub fn modifications(&self) -> Result<Vec<Modification>, SysprepError> {
        self.validate()?;
        let mut modifications = vec![
            Modification::Hostname(self.hostname.clone()),
            Modification::RootPassword(self.root_password.clone()),
            Modification::SshHostKey(Box::new(self.host_key.clone())),
            Modification::IscsiInitiatorName(self.iscsi_initiator_name.clone()),
        ];
        modifications.extend(self.authorized_keys.iter().cloned().map(Modification::SshKey));
        modifications.extend(self.selinux.map(Modification::SelinuxMode));
        modifications.extend(self.nics.iter().enumerate().map(|(number, nic)| {
            Modification::DhcpInterface(DhcpInterface {
                name: format!("eth{number}"),
                mac: nic.mac.clone(),
                default_route: nic.management,
                ip6: nic.ip6,
                domain: nic.domain.clone(),
            })
        }));
        Ok(modifications)
    }

    /// Fails if it cannot be given to a guest.
    pub(crate) fn validate(&self) -> Result<(), SysprepError> {
        let hostname = self.hostname.clone();
        if !is_hostname(&hostname) {
            return Err(SysprepError::Hostname { hostname });
        }
        if !is_password(&self.root_password) {
            return Err(SysprepError::Password { hostname });
        }
        let algorithm = self.host_key.algorithm();
        if algorithm != Algorithm::Ed25519 || self.host_key.is_encrypted() {
            return Err(SysprepError::HostKey { hostname, algorithm });
        }
        if !is_iscsi_name(&self.iscsi_initiator_name) {
            return Modification::IscsiInitiatorName(self.iscsi_initiator_name.clone()).check();
        }
        match self.nics.iter().position(|nic| !is_mac(&nic.mac)) {
            Some(nic) => Err(SysprepError::Mac { hostname, nic, mac: self.nics[nic].mac.clone() }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
