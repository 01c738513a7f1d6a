//! Giving a guest its identity before its first start: host name, keys, password, NICs; and changing images.
//!
//! There are two ways:
//! - a [`Seed`], the `NoCloud` volume beside the guest's disks. It costs milliseconds, a template's disk stays as it is, and
//!   two VMs can share it. cloud-init takes it, and so does an image without cloud-init by a few lines of shell: the form of
//!   the three files is fixed;
//! - [`sysprep`], which has libguestfs (<https://libguestfs.org/virt-sysprep.1.html>) write the changes onto the disk. That
//!   works for any Linux guest that libguestfs recognises, and starts a small machine for each disk, which takes seconds with
//!   hardware virtualization and half a minute without.
//!
//! The init file's `sysprep` chooses; without it a template's metadata `sysprep`, and else the seed.
//!
//! ```no_run
//! use lago::sysprep::{set_hostname, set_root_password, sysprep};
//!
//! let changes = [set_hostname("server"), set_root_password("123456")];
//! sysprep("server-root.qcow2".as_ref(), &changes)?;
//! # Ok::<(), lago::sysprep::SysprepError>(())
//! ```

mod build;
mod error;
mod libguestfs;
mod modification;
mod nocloud;
mod scalar;
mod seed;
mod values;
mod volume;

pub use error::SysprepError;
pub use libguestfs::{SYSPREP_LIMIT, sysprep};
pub use modification::{
    DhcpInterface, Modification, add_ssh_key, config_net_interface_dhcp, set_hostname,
    set_iscsi_initiator_name, set_root_password, set_selinux_mode, set_ssh_host_key, upload_file,
    write_file,
};
pub use nocloud::SeedFiles;
pub use seed::{Seed, SeedIp6, SeedNic};

pub use crate::spec::{SelinuxMode, SysprepBackend};

pub use build::BUILD_LIMIT;
pub(crate) use build::{asks_for_own_key, build_key, run as run_build};
pub(crate) use libguestfs::{STAGING, apply, require as require_libguestfs};

/// The name by which a guest calls itself where it uses disks over iSCSI, as in Lago.
pub(crate) fn initiator_name(hostname: &str) -> String {
    format!("iqn.2014-07.org.lago:{hostname}")
}
