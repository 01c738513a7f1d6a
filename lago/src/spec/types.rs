//! What an init file says, with prototypes and defaults applied.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use indexmap::IndexMap;
use ipnet::{Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

/// A mapping whose content only its reader understands.
pub type JsonMap = serde_json::Map<String, serde_json::Value>;

/// One virtual machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Domain {
    /// Memory in MiB.
    pub memory: u64,
    /// How many virtual CPUs.
    pub vcpu: u32,
    /// Over how many sockets the virtual CPUs are spread; a divisor of `vcpu`. Each CPU has its own if absent.
    pub cpu: Option<u32>,
    /// The CPU model as libvirt names it; excludes `cpu_custom`.
    pub cpu_model: Option<String>,
    /// libvirt's `<cpu>` element: `@name` is an attribute, `#text` the text, anything else a child.
    pub cpu_custom: Option<JsonMap>,
    /// What starts the guest.
    #[serde(default)]
    pub firmware: Firmware,
    /// A file with variables of UEFI firmware that the VM begins with; fresh ones if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nvram: Option<PathBuf>,
    /// How the guest's display can be looked at.
    #[serde(default)]
    pub graphics: Graphics,
    /// Network cards, in the order in which the guest sees them.
    pub nics: Vec<Nic>,
    /// Disks, in the order in which the guest sees them; the first is the one to boot from.
    pub disks: Vec<Disk>,
    /// Free-form data for suites and plugins.
    pub metadata: JsonMap,
    /// The password that root gets.
    pub root_password: String,
    /// The user that logs in through ssh.
    pub ssh_user: String,
    /// The password of `ssh_user`, for guests that do not take a key.
    pub ssh_password: String,
    /// Groups, for inventories.
    pub groups: Vec<String>,
    /// Paths in the guest to collect after a run.
    pub artifacts: Vec<String>,
    /// How services are controlled in the guest; found out if absent.
    pub service_provider: Option<ServiceProvider>,
    /// The kind of VM, for suites that treat some VMs in a special way.
    pub vm_type: String,
    /// Who runs the VM.
    pub vm_provider: VmProvider,
    /// How a machine is reached that lago does not start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh: Option<SshAccess>,
    /// Whether the guest is given its identity (keys, host name, network) before its first start.
    pub bootstrap: bool,
    /// How it is given its identity; as its template says if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sysprep: Option<SysprepBackend>,
    /// The SELinux mode that the guest gets; what its image has if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selinux: Option<SelinuxMode>,
    /// The distribution in the guest; what the template says if absent.
    pub distro: Option<String>,
    /// The name of the guest agent's service.
    pub guest_agent: Option<String>,
    /// The longest time to wait until the guest answers, in seconds.
    pub boot_time_sec: Option<u64>,
    /// Whether an export leaves this VM out.
    pub skip_export: bool,
}

/// One network card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Nic {
    /// The network that it is connected to.
    pub net: String,
    /// Its address; planned if absent.
    pub ip: Option<Ipv4Addr>,
    /// Its IPv6 address; planned if absent and the network has IPv6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip6: Option<Ipv6Addr>,
    /// Its MTU; the network's if absent.
    pub mtu: Option<u32>,
}

/// One disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Disk {
    /// The disk's name, unique within its domain.
    pub name: String,
    /// Where its content comes from.
    pub kind: DiskKind,
    /// The device name: `vda` is on virtio-blk, `sda` on virtio-scsi, `hda` on the emulated disk controller.
    pub dev: String,
    /// The format of the image.
    pub format: DiskFormat,
    /// Free-form data, such as the distribution that is on it.
    pub metadata: JsonMap,
    /// What to do to the image before the first start.
    pub build: Vec<BuildStep>,
    /// Whether an export leaves this disk out.
    pub skip_export: bool,
}

impl Disk {
    /// The size in bytes that the file asks for.
    pub fn size(&self) -> Option<u64> {
        match self.kind {
            DiskKind::Template { size, .. } | DiskKind::Image { size, .. } => size,
            DiskKind::Empty { size } => Some(size),
            DiskKind::File { .. } => None,
        }
    }
}

/// Where a disk's content comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DiskKind {
    /// An overlay on a version of a template (`type: template`).
    Template {
        /// The template's name.
        name: String,
        /// The version; the newest if absent.
        version: Option<String>,
        /// The size in bytes to which the disk grows; the template's if absent.
        size: Option<u64>,
    },
    /// An overlay on an image file that no template repository knows (`type: template`, `template_type: qcow2`).
    Image {
        /// The image.
        path: PathBuf,
        /// The size in bytes to which the disk grows; the image's if absent.
        size: Option<u64>,
        /// The template that the image stands on, whatever it says itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        base: Option<TemplateBase>,
    },
    /// An empty disk (`type: empty`).
    Empty {
        /// The size in bytes, a multiple of 512.
        size: u64,
    },
    /// An image file (`type: file`).
    File {
        /// Where the file is.
        source: FileSource,
        /// Whether the prefix works on a copy of its own.
        make_a_copy: bool,
    },
}

/// A version of a template that an exported image stands on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateBase {
    /// The template's name.
    pub name: String,
    /// The version; the newest if absent.
    pub version: Option<String>,
    /// The digest of its image, in hexadecimal digits. Another image would make garbage of what stands on it.
    pub digest: Option<String>,
}

/// Where the file of a `type: file` disk is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FileSource {
    /// On this machine.
    Path(PathBuf),
    /// To be fetched.
    Url {
        /// The address.
        url: String,
        /// Where the fetched file goes; into the prefix if absent.
        path: Option<PathBuf>,
    },
}

/// The format of a disk's image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DiskFormat {
    /// QEMU's own format; the default.
    Qcow2,
    /// The bytes of the disk and nothing else.
    Raw,
    /// A CD or DVD image: the guest sees a drive for it.
    Iso,
}

impl DiskFormat {
    /// What QEMU calls the format of the file.
    pub fn qemu_name(self) -> &'static str {
        match self {
            Self::Qcow2 => "qcow2",
            Self::Raw | Self::Iso => "raw",
        }
    }
}

/// A step that changes an image before the first start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum BuildStep {
    /// One run of `virt-customize`: each option with its arguments, once for each argument, or alone if it has none.
    /// Files of this machine are named by absolute paths.
    VirtCustomize(IndexMap<String, Vec<String>>),
}

/// How a guest is given its identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SysprepBackend {
    /// On a volume beside its disks, which cloud-init or the image itself reads.
    Seed,
    /// By libguestfs, which writes it onto the disk.
    Libguestfs,
}

/// What SELinux does in a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SelinuxMode {
    /// It refuses what its policy does not allow.
    Enforcing,
    /// It logs what its policy does not allow.
    Permissive,
    /// Nothing.
    Disabled,
}

impl SelinuxMode {
    /// The word in `/etc/selinux/config`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforcing => "enforcing",
            Self::Permissive => "permissive",
            Self::Disabled => "disabled",
        }
    }
}

/// How services are controlled in a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ServiceProvider {
    /// `systemctl`.
    Systemd,
    /// `service` and `/etc/init.d`.
    SysVInit,
    /// `rc-service`.
    OpenRc,
    /// `systemctl` in a container in the guest.
    SystemdContainer,
}

/// What starts a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Firmware {
    /// A BIOS; the default.
    #[default]
    Bios,
    /// OVMF, whose variables are in a file of the VM's own.
    Uefi,
}

/// How a guest's display can be looked at. A VM has a display in any case, for screenshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Graphics {
    /// By screenshots alone; the default.
    #[default]
    None,
    /// Over VNC, on the loopback interface of the host, with a password.
    Vnc,
}

/// Who runs a VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum VmProvider {
    /// libvirt, on the prefix's host; the default.
    LocalLibvirt,
    /// Somebody else: the machine exists and is only spoken to through ssh.
    Ssh,
}

/// How a machine is reached that lago does not start (`vm-provider: ssh`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshAccess {
    /// Its address or host name, as this machine knows it.
    pub address: String,
    /// The port of its ssh server.
    pub port: u16,
    /// Its host key, as in `authorized_keys`; looked up in `known_hosts` if absent.
    pub host_key: Option<String>,
    /// The file in which its host key is; the user's own if absent.
    pub known_hosts: Option<PathBuf>,
    /// The file with the private key of the user; the prefix's own key if absent.
    pub identity: Option<PathBuf>,
    /// The password of the user, for a server that does not take the key.
    pub password: Option<String>,
}

/// One network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Net {
    /// Whether guests get services and a way out.
    pub kind: NetKind,
    /// The subnet, if anything in the file fixes it: `gw`, an address of a NIC, or a bound of `dhcp`.
    pub subnet: Option<Ipv4Net>,
    /// The gateway, if the file names one.
    pub gateway: Option<Ipv4Addr>,
    /// The range from which guests that the plan does not know get addresses.
    pub dhcp: Option<Dhcp>,
    /// Whether guests are reached through this network.
    pub management: bool,
    /// The DNS domain.
    pub dns_domain_name: Option<String>,
    /// Names to resolve besides those of the domains.
    pub mapping: IndexMap<String, Ipv4Addr>,
    /// As `mapping`, for IPv6.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub mapping6: IndexMap<String, Ipv6Addr>,
    /// The MTU; the usual 1500 if absent.
    pub mtu: Option<u32>,
    /// Whether guests have IPv6 addresses too, and in which subnet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<Ipv6Subnet>,
    /// Whether guests reach what is beyond the host; none on a private host if absent, and the host on a libvirt by its
    /// URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uplink: Option<Uplink>,
    /// The bridge of the host that a network of the type `bridge` joins, instead of having one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bridge: Option<String>,
    /// Whether its bridge takes part in the spanning tree protocol.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stp: bool,
}

/// The IPv6 subnet of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Ipv6Subnet {
    /// One of the prefix's own, of unique local addresses.
    Planned,
    /// The one that the file names.
    Fixed {
        /// The subnet, 64 bits long.
        subnet: Ipv6Net,
        /// The gateway in it.
        gateway: Ipv6Addr,
    },
}

/// What guests of a network reach beyond each other and their gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Uplink {
    /// Nothing.
    None,
    /// What this machine reaches, with its addresses.
    Host,
}

/// What a network offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum NetKind {
    /// A bridge with a gateway, DHCP, DNS and address translation.
    Nat,
    /// A bridge and nothing else: no gateway answers, no DHCP, no DNS.
    Bridge,
}

/// The bounds of a DHCP range as the file has them, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Dhcp {
    /// The first address.
    pub start: HostAddress,
    /// The last address.
    pub end: HostAddress,
}

impl Dhcp {
    /// The range in a subnet; `None` if it is not wholly in it or ends before it begins.
    pub fn within(self, subnet: Ipv4Net) -> Option<DhcpRange> {
        let range = DhcpRange { start: self.start.within(subnet)?, end: self.end.within(subnet)? };
        (range.start <= range.end).then_some(range)
    }
}

/// An address in a subnet that need not be known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum HostAddress {
    /// Counted from the subnet's own address: 100 in 192.168.200.0/24 is 192.168.200.100.
    Number(u32),
    /// In full.
    Address(Ipv4Addr),
}

impl HostAddress {
    /// The address in a subnet; `None` if the number is beyond it or the address outside.
    pub fn within(self, subnet: Ipv4Net) -> Option<Ipv4Addr> {
        let address = match self {
            Self::Number(number) => {
                Ipv4Addr::from(u32::from(subnet.network()).checked_add(number)?)
            }
            Self::Address(address) => address,
        };
        subnet.contains(&address).then_some(address)
    }
}

/// A range of addresses, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DhcpRange {
    /// The first address.
    pub start: Ipv4Addr,
    /// The last address.
    pub end: Ipv4Addr,
}

impl DhcpRange {
    /// Whether an address is in the range.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        (self.start..=self.end).contains(&address)
    }
}
