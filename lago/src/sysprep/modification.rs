//! The changes that a disk's system can be given, under the names that Lago has for them.

use std::fmt;
use std::path::PathBuf;

use ssh_key::{Algorithm, PrivateKey, PublicKey};

use super::values::{
    is_domain, is_guest_file, is_hostname, is_interface, is_iscsi_name, is_mac, is_password,
};
use super::{SeedIp6, SysprepError};
use crate::spec::SelinuxMode;

/// One change of the system on a disk, for [`sysprep`](super::sysprep()).
#[derive(Clone)]
#[non_exhaustive]
pub enum Modification {
    /// The host name.
    Hostname(String),
    /// The password of root.
    RootPassword(String),
    /// A key that may log in as root.
    SshKey(PublicKey),
    /// The only key by which the ssh server proves who it is, an ed25519 key.
    SshHostKey(Box<PrivateKey>),
    /// The name by which the system calls itself to iSCSI targets.
    IscsiInitiatorName(String),
    /// What SELinux does.
    SelinuxMode(SelinuxMode),
    /// A network interface that gets its address by DHCP.
    DhcpInterface(DhcpInterface),
    /// A file of this machine. It belongs to root there, with the permissions that it has here.
    UploadFile {
        /// The file.
        local: PathBuf,
        /// The absolute path that it gets.
        remote: String,
    },
    /// A file that belongs to root.
    WriteFile {
        /// Its absolute path.
        remote: String,
        /// What is in it.
        content: Vec<u8>,
        /// Its permissions, such as `0o644`.
        mode: u32,
    },
}

/// A network interface that gets its address by DHCP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DhcpInterface {
    /// The name that it gets where the system can rename interfaces, such as `eth0`.
    pub name: String,
    /// The MAC address by which it is found.
    pub mac: String,
    /// Whether the system takes its default route from this interface's network.
    pub default_route: bool,
    /// Its IPv6 address, if it has one.
    pub ip6: Option<SeedIp6>,
    /// The DNS domain in which the system looks for names without a dot.
    pub domain: Option<String>,
}

/// Sets the host name.
pub fn set_hostname(hostname: impl Into<String>) -> Modification {
    Modification::Hostname(hostname.into())
}

/// Sets the password of root.
pub fn set_root_password(password: impl Into<String>) -> Modification {
    Modification::RootPassword(password.into())
}

/// Lets the owner of a key log in as root.
pub fn add_ssh_key(key: PublicKey) -> Modification {
    Modification::SshKey(key)
}

/// Makes this ed25519 key the only one by which the ssh server proves who it is.
pub fn set_ssh_host_key(key: PrivateKey) -> Modification {
    Modification::SshHostKey(Box::new(key))
}

/// Sets the name by which the system calls itself to iSCSI targets, such as `iqn.2014-07.org.lago:client`.
pub fn set_iscsi_initiator_name(name: impl Into<String>) -> Modification {
    Modification::IscsiInitiatorName(name.into())
}

/// Sets the SELinux mode.
pub fn set_selinux_mode(mode: SelinuxMode) -> Modification {
    Modification::SelinuxMode(mode)
}

/// Has the interface with this MAC address ask for its address by DHCP, and be called `iface` where the system can rename it.
///
/// Written for systemd-networkd, netplan, NetworkManager, the network scripts of Red Hat, wicked and ifupdown; which of them
/// is there is found out on the disk.
pub fn config_net_interface_dhcp(
    iface: impl Into<String>,
    hwaddr: impl Into<String>,
) -> Modification {
    Modification::DhcpInterface(DhcpInterface {
        name: iface.into(),
        mac: hwaddr.into(),
        default_route: true,
        ip6: None,
        domain: None,
    })
}

/// Copies a file of this machine to an absolute path.
#[doc(alias = "_upload_file")]
pub fn upload_file(local: impl Into<PathBuf>, remote: impl Into<String>) -> Modification {
    Modification::UploadFile { local: local.into(), remote: remote.into() }
}

/// Writes a file that everybody may read.
#[doc(alias = "_write_file")]
pub fn write_file(remote: impl Into<String>, content: impl Into<Vec<u8>>) -> Modification {
    Modification::WriteFile { remote: remote.into(), content: content.into(), mode: 0o644 }
}

impl Modification {
    /// Fails if it makes no sense.
    pub(super) fn check(&self) -> Result<(), SysprepError> {
        let refused = |reason: String| Err(SysprepError::Modification { reason });
        match self {
            Self::Hostname(hostname) if !is_hostname(hostname) => {
                Err(SysprepError::Hostname { hostname: hostname.clone() })
            }
            Self::RootPassword(password) if !is_password(password) => refused(
                "a root password is empty or holds a control character such as a line break"
                    .to_owned(),
            ),
            Self::SshKey(key) if key.comment().contains(char::is_control) => {
                refused("the comment of an ssh key holds a control character".to_owned())
            }
            Self::SshHostKey(key)
                if key.algorithm() != Algorithm::Ed25519 || key.is_encrypted() =>
            {
                refused(format!(
                    "a host key is {}; it has to be an ed25519 key without a passphrase",
                    key.algorithm()
                ))
            }
            Self::IscsiInitiatorName(name) if !is_iscsi_name(name) => refused(format!(
                "`{}` is no name of an iSCSI initiator, such as iqn.2014-07.org.lago:client",
                name.escape_debug()
            )),
            Self::DhcpInterface(DhcpInterface { name, .. }) if !is_interface(name) => {
                refused(format!(
                    "`{}` is no name of a network interface, such as eth0",
                    name.escape_debug()
                ))
            }
            Self::DhcpInterface(DhcpInterface { mac, .. }) if !is_mac(mac) => refused(format!(
                "`{}` is no MAC address, such as 54:52:c0:a8:c8:02",
                mac.escape_debug()
            )),
            Self::DhcpInterface(DhcpInterface { domain: Some(domain), .. })
                if !is_domain(domain) =>
            {
                refused(format!("`{}` is no DNS domain, such as lago.local", domain.escape_debug()))
            }
            Self::UploadFile { remote, .. } | Self::WriteFile { remote, .. }
                if !is_guest_file(remote) =>
            {
                refused(format!(
                    "`{}` is no absolute path of a file in a guest, such as /etc/motd",
                    remote.escape_debug()
                ))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Modification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hostname(name) => f.debug_tuple("Hostname").field(name).finish(),
            Self::RootPassword(_) => f.write_str("RootPassword(..)"),
            Self::SshKey(key) => f.debug_tuple("SshKey").field(&key.comment()).finish(),
            Self::SshHostKey(_) => f.write_str("SshHostKey(..)"),
            Self::IscsiInitiatorName(name) => {
                f.debug_tuple("IscsiInitiatorName").field(name).finish()
            }
            Self::SelinuxMode(mode) => f.debug_tuple("SelinuxMode").field(mode).finish(),
            Self::DhcpInterface(interface) => {
                f.debug_tuple("DhcpInterface").field(interface).finish()
            }
            Self::UploadFile { local, remote } => {
                f.debug_struct("UploadFile").field("local", local).field("remote", remote).finish()
            }
            Self::WriteFile { remote, .. } => {
                f.debug_struct("WriteFile").field("remote", remote).finish_non_exhaustive()
            }
        }
    }
}
