//! Changes that libguestfs writes onto a disk: one run of virt-sysprep for all of them.

mod arguments;
mod run;
mod staging;

use std::path::{self, Path};
use std::time::Duration;

use arguments::Arguments;
pub(crate) use run::require;
pub(super) use run::{Program, run};
pub(crate) use staging::STAGING;
pub(super) use staging::Staging;

use super::{Modification, SysprepError};
use crate::host::{Acceleration, AccelerationChoice};
use crate::templates::ImageFormat;
use crate::utils::FileError;

/// How long changing a disk may take. Without hardware virtualization it takes half a minute, and giving all files of a large
/// guest their SELinux labels some minutes more.
pub const SYSPREP_LIMIT: Duration = Duration::from_secs(15 * 60);

/// Changes the system on a disk, which no VM may be using. The disk also loses what only one machine may have: the machine's
/// id, leases of DHCP servers, and the addresses of network cards.
///
/// The disk is qcow2 or raw, and has a Linux on it that libguestfs recognises.
///
/// # Errors
/// When a change makes no sense, libguestfs is not installed, or it fails. The disk may have been changed in part then.
pub fn sysprep(disk: &Path, modifications: &[Modification]) -> Result<(), SysprepError> {
    let absolute = path::absolute(disk).map_err(FileError::io("find", disk))?;
    let beside = absolute.parent().unwrap_or(Path::new("/"));
    apply(disk, modifications, AccelerationChoice::Auto.resolve(), beside)
}

/// As [`sysprep`], with this acceleration for the machine of libguestfs, and what it reads in a directory in `scratch`.
pub(crate) fn apply(
    disk: &Path,
    modifications: &[Modification],
    acceleration: Acceleration,
    scratch: &Path,
) -> Result<(), SysprepError> {
    modifications.iter().try_for_each(Modification::check)?;
    let format = ImageFormat::of_file(disk)?;
    require()?;
    let _span = tracing::info_span!("sysprep", disk = %disk.display()).entered();
    let mut staging = Staging::new_in(scratch)?;
    let arguments = Arguments::of(modifications, &mut staging)?;
    run(&Program {
        name: "virt-sysprep",
        arguments: &arguments.into_vec(),
        disk,
        format,
        directory: staging.path(),
        acceleration,
        limit: SYSPREP_LIMIT,
    })
}
