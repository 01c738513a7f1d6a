//! Giving a VM its identity: host name, keys, password, NICs.
//!
//! The identity is on a volume of its own, a `NoCloud` seed, so that a template's disk stays as it is and two VMs can share
//! it. cloud-init takes such a seed, and so does an image without cloud-init by a few lines of shell: the form of the
//! three files is fixed.

mod nocloud;
mod scalar;
mod seed;
mod volume;

pub use nocloud::SeedFiles;
pub use seed::{Seed, SeedNic, SysprepError};

/// The name by which a guest calls itself where it uses disks over iSCSI, as in Lago.
pub(crate) fn initiator_name(hostname: &str) -> String {
    format!("iqn.2014-07.org.lago:{hostname}")
}
