//! What an environment is made of and what it runs on.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// What an environment is made of and what it runs on. A program that does not say its version has none here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentFacts {
    /// The version of lago.
    pub lago: String,
    /// What QEMU says about itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qemu: Option<String>,
    /// What libvirt's daemon says about itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub libvirt: Option<String>,
    /// Where the VMs run: `private`, or a libvirt URI.
    pub host: String,
    /// How their processors run: `kvm` or `tcg`.
    pub acceleration: String,
    /// The processor of this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processor: Option<String>,
    /// How many processors this process may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processors: Option<usize>,
    /// The memory of this machine, in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u64>,
    /// The VMs, in the order of the init file.
    pub vms: Vec<VmFacts>,
}

/// What a VM is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmFacts {
    /// Its name in the init file.
    pub name: String,
    /// The address by which it is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// How many processors it has.
    pub processors: u32,
    /// Its memory, in MiB.
    pub memory_mib: u64,
    /// The templates that its disks are made from, in the order of the disks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub templates: Vec<TemplateFacts>,
}

/// A template that a disk is made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateFacts {
    /// The name of the device in the guest.
    pub dev: String,
    /// The template's version, as `repository:template:version`.
    pub version: String,
    /// The digest of its image, as `algorithm:hexadecimal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}
