//! The programs and directories that packages bring.

use std::fs;
use std::process::Command;

use super::packages::Packages;
use super::system::System;
use super::{Check, Status};

/// One program, or one of several that do the same.
struct Program {
    name: &'static str,
    names: &'static [&'static str],
    purpose: &'static str,
    packages: Packages,
}

const LIBVIRT: Packages = Packages {
    debian: "libvirt-daemon-system",
    fedora: "libvirt-daemon libvirt-daemon-driver-qemu libvirt-daemon-driver-network",
};
const UTIL_LINUX: Packages =
    Packages { debian: "util-linux mount", fedora: "util-linux util-linux-core" };

/// The version of util-linux whose `unshare` can map the subordinate ids.
const UNSHARE_MAPS_SINCE: (u32, u32) = (2, 38);

#[cfg(target_arch = "x86_64")]
pub(in crate::host) const EMULATORS: &[&str] = &["qemu-system-x86_64", "/usr/libexec/qemu-kvm"];
#[cfg(target_arch = "aarch64")]
pub(in crate::host) const EMULATORS: &[&str] = &["qemu-system-aarch64", "/usr/libexec/qemu-kvm"];
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(in crate::host) const EMULATORS: &[&str] = &["qemu-kvm", "/usr/libexec/qemu-kvm"];

const PROGRAMS: &[Program] = &[
    Program {
        name: "libvirtd",
        names: &["libvirtd"],
        purpose: "each private host runs its own",
        packages: LIBVIRT,
    },
    Program {
        name: "QEMU",
        names: EMULATORS,
        purpose: "it runs the virtual machines",
        packages: Packages { debian: "qemu-system-x86", fedora: "qemu-kvm" },
    },
    Program {
        name: "qemu-img",
        names: &["qemu-img"],
        purpose: "it makes their disks",
        packages: Packages { debian: "qemu-utils", fedora: "qemu-img" },
    },
    Program {
        name: "dnsmasq",
        names: &["dnsmasq"],
        purpose: "it gives the networks DHCP and names",
        packages: Packages { debian: "dnsmasq-base", fedora: "dnsmasq" },
    },
    Program {
        name: "nft",
        names: &["nft"],
        purpose: "it keeps the networks apart",
        packages: Packages { debian: "nftables", fedora: "nftables" },
    },
    Program {
        name: "ip",
        names: &["ip"],
        purpose: "it brings up the loopback interface",
        packages: Packages { debian: "iproute2", fedora: "iproute" },
    },
    Program {
        name: "setsid",
        names: &["setsid"],
        purpose: "it makes the host a session of its own",
        packages: UTIL_LINUX,
    },
    Program {
        name: "flock",
        names: &["flock"],
        purpose: "it tells other processes when the host can be found",
        packages: UTIL_LINUX,
    },
    Program {
        name: "mount",
        names: &["mount"],
        purpose: "it gives the host directories of its own",
        packages: UTIL_LINUX,
    },
];

/// What only nets with a way out need.
const UPLINK: Program = Program {
    name: "pasta",
    names: &["pasta"],
    purpose: "it is the way out for guests of nets with `uplink: host`",
    packages: Packages { debian: "passt", fedora: "passt" },
};

const ID_MAPPERS: &[Program] = &[
    Program {
        name: "newuidmap",
        names: &["newuidmap"],
        purpose: "it lets a plain user use the subordinate user ids",
        packages: Packages { debian: "uidmap", fedora: "shadow-utils" },
    },
    Program {
        name: "newgidmap",
        names: &["newgidmap"],
        purpose: "it lets a plain user use the subordinate group ids",
        packages: Packages { debian: "uidmap", fedora: "shadow-utils" },
    },
];

pub(super) fn checks(system: &System) -> Vec<Check> {
    let mut checks: Vec<Check> = PROGRAMS.iter().map(|program| program.check(system)).collect();
    checks.push(UPLINK.check_optional(system));
    checks.push(drivers(system));
    checks.push(directories(system));
    checks.push(unshare(system));
    if !system.privileged {
        checks.extend(ID_MAPPERS.iter().map(|program| program.check(system)));
    }
    checks
}

impl Program {
    fn check(&self, system: &System) -> Check {
        match self.names.iter().find_map(|name| find(system, name)) {
            Some(found) => Check::ok(self.name, found),
            None => Check::missing(
                self.name,
                format!("{} is not installed; {}", self.names.join(" or "), self.purpose),
                self.packages.install(system),
            ),
        }
    }

    /// As [`Self::check`], for what most do without.
    fn check_optional(&self, system: &System) -> Check {
        match self.check(system) {
            Check { status: Status::Missing, name, detail, remedy } => {
                Check { status: Status::Warning, name, detail, remedy }
            }
            found => found,
        }
    }
}

fn find(system: &System, name: &str) -> Option<String> {
    let found = if name.starts_with('/') {
        Some(system.file(name)).filter(|file| file.is_file())
    } else {
        system.program(name)
    };
    found.map(|file| file.display().to_string())
}

/// libvirtd loads what it knows of QEMU and of networks from modules that are packages of their own.
fn drivers(system: &System) -> Check {
    const NAME: &str = "libvirt drivers";
    let missing: Vec<&str> =
        ["qemu", "network"].into_iter().filter(|driver| !has_driver(system, driver)).collect();
    if missing.is_empty() {
        return Check::ok(NAME, "qemu and network");
    }
    let detail = format!("libvirtd has no driver for {}", missing.join(" and "));
    let packages = Packages {
        debian: "libvirt-daemon libvirt-daemon-driver-qemu",
        fedora: "libvirt-daemon-driver-qemu libvirt-daemon-driver-network",
    };
    Check::missing(NAME, detail, packages.install(system))
}

fn has_driver(system: &System, driver: &str) -> bool {
    let module = format!("libvirt/connection-driver/libvirt_driver_{driver}.so");
    let multiarch = fs::read_dir(system.file("/usr/lib"))
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()));
    multiarch
        .chain([system.file("/usr/lib64"), system.file("/usr/lib")])
        .any(|dir| dir.join(&module).exists())
}

/// The private host's own directories are bound over these, which takes no more than that they exist.
fn directories(system: &System) -> Check {
    const NAME: &str = "libvirt directories";
    let needed = ["/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt", "/etc/libvirt"];
    let missing: Vec<&str> = needed.into_iter().filter(|dir| !system.file(dir).is_dir()).collect();
    if missing.is_empty() {
        return Check::ok(NAME, needed.join(" "));
    }
    let detail = format!("{} must exist, as the host's own are bound over them", missing.join(" "));
    Check::missing(NAME, detail, format!("sudo mkdir -p {}", missing.join(" ")))
}

fn unshare(system: &System) -> Check {
    const NAME: &str = "unshare";
    let Some(program) = system.program("unshare") else {
        let detail = "unshare is not installed; it makes the namespaces";
        return Check::missing(NAME, detail, UTIL_LINUX.install(system));
    };
    if system.privileged {
        return Check::ok(NAME, program.display().to_string());
    }
    let (major, minor) = UNSHARE_MAPS_SINCE;
    let output = Command::new(&program).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    match text.as_deref().map(|text| (text, version(text))) {
        Ok((text, Some(found))) if found >= UNSHARE_MAPS_SINCE => Check::ok(NAME, text),
        Ok((text, Some(_))) => Check::missing(
            NAME,
            format!(
                "{text} is too old for a plain user: --map-auto came with util-linux {major}.{minor}; \
                 root does not need it"
            ),
            UTIL_LINUX.install(system),
        ),
        Ok((text, None)) => {
            Check::warning(NAME, format!("cannot tell its version from `{text}`"), None)
        }
        Err(error) => {
            Check::missing(NAME, format!("cannot run {}: {error}", program.display()), None)
        }
    }
}

/// Major and minor version at the end of what `unshare --version` prints.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split_whitespace().next_back()?.split(['.', '-']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn versions() {
        assert_eq!(version("unshare from util-linux 2.38.1"), Some((2, 38)));
        assert_eq!(version("unshare from util-linux 2.40-rc1"), Some((2, 40)));
        assert_eq!(version("BusyBox"), None);
        assert_eq!(version(""), None);
    }
}
