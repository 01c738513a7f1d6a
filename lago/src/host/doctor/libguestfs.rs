//! Whether libguestfs can change disks here. Private hosts do without.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::Check;
use super::packages::Packages;
use super::system::System;

const NAME: &str = "libguestfs";

const PURPOSE: &str = "`build` steps and `sysprep: libguestfs` need it, nothing else does";

/// Debian's package of this name brings guestfs-tools, which older releases do not have.
const TOOLS: Packages = Packages { debian: "libguestfs-tools", fedora: "guestfs-tools" };

/// Any kernel of the distribution does. This one is small.
const KERNEL: Packages = Packages {
    debian: if cfg!(target_arch = "aarch64") {
        "linux-image-cloud-arm64"
    } else {
        "linux-image-cloud-amd64"
    },
    fedora: "kernel-core",
};

/// Variables by which a user has libguestfs take a machine or a kernel of the user's own.
const OWN_MACHINE: [&str; 2] = ["LIBGUESTFS_PATH", "SUPERMIN_KERNEL"];

pub(super) fn check(system: &System) -> Check {
    let tools = ["virt-sysprep", "virt-customize"];
    let missing: Vec<&str> =
        tools.into_iter().filter(|tool| system.program(tool).is_none()).collect();
    if !missing.is_empty() {
        let detail = format!("{} not installed; {PURPOSE}", is_or_are(&missing));
        return Check::warning(NAME, detail, TOOLS.install(system));
    }
    if OWN_MACHINE.iter().any(|variable| env::var_os(variable).is_some()) {
        return Check::ok(NAME, "virt-sysprep, virt-customize, and a machine of the user's");
    }
    let kernels = kernels(system);
    if kernels.iter().any(|kernel| is_readable(kernel)) {
        return Check::ok(NAME, "virt-sysprep, virt-customize, and a kernel for its machine");
    }
    let Some(kernel) = kernels.first() else {
        let detail = format!(
            "there is no kernel with its modules in /boot, with which its machine starts; {PURPOSE}"
        );
        return Check::warning(NAME, detail, KERNEL.install(system));
    };
    let kernel = kernel.display();
    let detail =
        format!("{kernel}, with which its machine starts, cannot be read by this user; {PURPOSE}");
    Check::warning(NAME, detail, format!("sudo chmod +r {kernel}"))
}

fn is_or_are(tools: &[&str]) -> String {
    let verb = if tools.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", tools.join(" and "))
}

/// The kernels whose modules are there, in the places where supermin looks for them (<https://libguestfs.org/supermin.1.html>).
fn kernels(system: &System) -> Vec<PathBuf> {
    let modules = system.file("/lib/modules");
    let versions = fs::read_dir(&modules).into_iter().flatten().flatten();
    let kernels = versions.flat_map(|version| {
        let name = version.file_name().to_string_lossy().into_owned();
        [version.path().join("vmlinuz"), system.file(&format!("/boot/vmlinuz-{name}"))]
    });
    kernels.filter(|kernel| kernel.exists()).collect()
}

fn is_readable(file: &Path) -> bool {
    rustix::fs::access(file, rustix::fs::Access::READ_OK).is_ok()
}
