//! The packages that this repository needs, and why.
//!
//! The names for apt are in daily use. Those for dnf were written from the distributions' package lists and have not
//! been tried on a machine: `dnf` names any that is wrong. On Enterprise Linux some of them come from EPEL.

use super::os_release::Family;

/// One package of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Needed {
    /// Its name in the family.
    pub(crate) name: &'static str,
    /// What it is for.
    pub(crate) why: &'static str,
    /// Whether all else works without it, so that a release that does not have it is no obstacle.
    pub(crate) optional: bool,
}

/// One reason, with the packages that serve it in each family.
struct Reason {
    why: &'static str,
    debian: &'static [&'static str],
    fedora: &'static [&'static str],
    enterprise_linux: &'static [&'static str],
    optional: bool,
}

const REASONS: &[Reason] = &[
    Reason {
        why: "compile and link the C parts of Rust crates",
        debian: &["gcc", "libc6-dev", "make", "pkg-config"],
        fedora: &["gcc", "glibc-devel", "make", "pkgconf-pkg-config"],
        enterprise_linux: &["gcc", "glibc-devel", "make", "pkgconf-pkg-config"],
        optional: false,
    },
    Reason {
        why: "the C libraries that the crates virt and ssh2 bind",
        debian: &["libvirt-dev", "libssl-dev", "zlib1g-dev"],
        fedora: &["libvirt-devel", "openssl-devel", "zlib-devel"],
        enterprise_linux: &["libvirt-devel", "openssl-devel", "zlib-devel"],
        optional: false,
    },
    Reason {
        why: "run virtual machines",
        debian: &["qemu-system-x86", "qemu-utils"],
        fedora: &["qemu-system-x86-core", "qemu-img"],
        enterprise_linux: &["qemu-kvm-core", "qemu-img"],
        optional: false,
    },
    Reason {
        why: "start those with UEFI",
        debian: &["ovmf"],
        fedora: &["edk2-ovmf"],
        enterprise_linux: &["edk2-ovmf"],
        optional: false,
    },
    Reason {
        why: "manage them: the private host starts a libvirtd of its own",
        debian: &["libvirt-daemon", "libvirt-daemon-system", "libvirt-clients"],
        fedora: LIBVIRT_RPM,
        enterprise_linux: LIBVIRT_RPM,
        optional: false,
    },
    Reason {
        why: "give their networks DHCP, names and NAT",
        debian: &["dnsmasq-base", "iptables", "iproute2"],
        fedora: &["dnsmasq", "iptables-nft", "iproute"],
        enterprise_linux: &["dnsmasq", "iptables-nft", "iproute"],
        optional: false,
    },
    Reason {
        why: "keep networks and VMs apart, and lose what is sent to them",
        debian: &["nftables"],
        fedora: &["nftables"],
        enterprise_linux: &["nftables"],
        optional: false,
    },
    Reason {
        why: "make the private host's namespaces, as a plain user too",
        debian: &["uidmap", "util-linux"],
        fedora: &["shadow-utils", "util-linux"],
        enterprise_linux: &["shadow-utils", "util-linux"],
        optional: false,
    },
    Reason {
        why: "a way out to the world for guests on a private host",
        debian: &["passt"],
        fedora: &["passt"],
        enterprise_linux: &["passt"],
        // Ubuntu 22.04 and older releases do not have it.
        optional: true,
    },
    Reason {
        why: "shell into guests, and the reference of the benchmarks",
        debian: &["openssh-client"],
        fedora: &["openssh-clients"],
        enterprise_linux: &["openssh-clients"],
        optional: false,
    },
    Reason {
        why: "build the guest images",
        debian: &[
            "mmdebstrap",
            "debian-archive-keyring",
            "tar",
            "cpio",
            "fdisk",
            "e2fsprogs",
            "dosfstools",
            "mtools",
            "syslinux",
            "syslinux-common",
        ],
        fedora: IMAGES_RPM,
        enterprise_linux: IMAGES_RPM,
        optional: false,
    },
    Reason {
        why: "keep, merge and serve repositories of packages for oVirt's guests, and test that",
        debian: &["apt", "createrepo-c", "dnf", "dnf-plugins-core", "dpkg-dev", "rpm"],
        fedora: REPOS_RPM,
        enterprise_linux: REPOS_RPM,
        optional: false,
    },
    Reason {
        why: "test against a real ssh server, and against the small shell of embedded guests",
        debian: &["openssh-server", "openssh-sftp-server", "busybox-static"],
        fedora: &["openssh-server", "busybox"],
        enterprise_linux: &["openssh-server", "busybox"],
        optional: false,
    },
    Reason {
        why: "read the manual pages that its tests generate",
        debian: &["groff-base"],
        fedora: &["groff-base"],
        enterprise_linux: &["groff-base"],
        optional: false,
    },
    Reason {
        why: "test against the ssh server of small guests",
        debian: &["dropbear-bin"],
        fedora: &["dropbear"],
        enterprise_linux: &["dropbear"],
        // Enterprise Linux has it in EPEL only.
        optional: true,
    },
    Reason {
        why: "open HTML reports as a person would, with letters to read",
        debian: &["chromium", "fonts-dejavu-core"],
        fedora: &["chromium", "dejavu-sans-fonts", "dejavu-sans-mono-fonts"],
        enterprise_linux: &["chromium", "dejavu-sans-fonts", "dejavu-sans-mono-fonts"],
        // Ubuntu has it as a snap only.
        optional: true,
    },
    Reason {
        why: "fetch template repositories, and test that: their git, servers with certificates, compressed images",
        debian: &["git", "openssl", "xz-utils", "zstd"],
        fedora: &["git-core", "openssl", "xz", "zstd"],
        enterprise_linux: &["git-core", "openssl", "xz", "zstd"],
        optional: false,
    },
    Reason {
        why: "test templates from a real container registry",
        debian: &["docker-registry"],
        fedora: &["docker-distribution"],
        enterprise_linux: &["docker-distribution"],
        // Enterprise Linux 9 does not have it.
        optional: true,
    },
    Reason {
        why: "change disks: `build` steps, and guests that take no seed; the kernel is that of libguestfs's machine",
        debian: &["guestfs-tools", "linux-image-cloud-amd64"],
        fedora: &["guestfs-tools", "kernel-core"],
        enterprise_linux: &["guestfs-tools", "kernel-core"],
        // Ubuntu has kernels by other names, and usually one installed. libguestfs makes its machine of this one's programs,
        // systemd's among them; on Debian it brings systemd to where neither that nor another init system is installed.
        optional: true,
    },
    Reason {
        why: "check reports against the JUnit schema",
        debian: &["libxml2-utils"],
        fedora: &["libxml2"],
        enterprise_linux: &["libxml2"],
        optional: false,
    },
    Reason {
        why: "read the JUnit reports with a reader that others use",
        debian: &["python3-junitparser"],
        fedora: &["python3-junitparser"],
        enterprise_linux: &["python3-junitparser"],
        // One test says so when it is not there.
        optional: true,
    },
    Reason {
        why: "build oVirt's own Python SDK, the witness of the engine simulator",
        debian: &["python3-venv", "python3-dev", "libxml2-dev"],
        fedora: &["python3-devel", "libxml2-devel"],
        enterprise_linux: &["python3-devel", "libxml2-devel"],
        optional: false,
    },
];

const REPOS_RPM: &[&str] = &["createrepo_c", "dnf", "dnf-plugins-core", "dpkg-dev", "rpm-build"];

const LIBVIRT_RPM: &[&str] = &[
    "libvirt-daemon",
    "libvirt-daemon-driver-qemu",
    "libvirt-daemon-driver-network",
    "libvirt-daemon-driver-storage-core",
    "libvirt-client",
];

const IMAGES_RPM: &[&str] = &[
    "mmdebstrap",
    "apt",
    "debian-keyring",
    "tar",
    "cpio",
    "e2fsprogs",
    "dosfstools",
    "mtools",
    "syslinux",
];

/// Debian's libvirt-daemon-system depends on files for systemd *or* for System V init, systemd first. On a machine
/// that runs without systemd, naming the other keeps apt from bringing systemd in or upgrading it.
const WITHOUT_SYSTEMD: Needed = Needed {
    name: "libvirt-daemon-system-sysv",
    why: "keep apt from changing this machine's init system for libvirt's sake",
    optional: true,
};

/// The packages that a machine of this family needs, in the order of the reasons.
pub(crate) fn needed(family: Family, booted_with_systemd: bool) -> Vec<Needed> {
    let mut needed: Vec<_> = REASONS.iter().flat_map(|reason| of_family(reason, family)).collect();
    if family == Family::Debian && !booted_with_systemd {
        needed.push(WITHOUT_SYSTEMD);
    }
    needed
}

fn of_family(reason: &Reason, family: Family) -> impl Iterator<Item = Needed> {
    let names = match family {
        Family::Debian => reason.debian,
        Family::Fedora => reason.fedora,
        Family::EnterpriseLinux => reason.enterprise_linux,
    };
    let Reason { why, optional, .. } = *reason;
    names.iter().map(move |&name| Needed { name, why, optional })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn names(family: Family, systemd: bool) -> Vec<&'static str> {
        needed(family, systemd).iter().map(|package| package.name).collect()
    }

    #[test]
    fn no_package_is_listed_twice_and_every_family_serves_every_reason() {
        for family in [Family::Debian, Family::Fedora, Family::EnterpriseLinux] {
            let names = names(family, false);
            assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len(), "{names:?}");
            for reason in REASONS {
                assert!(of_family(reason, family).next().is_some(), "{family:?}: {}", reason.why);
            }
        }
    }

    #[test]
    fn the_init_files_are_chosen_only_without_systemd_and_only_on_debian() {
        let sysv = "libvirt-daemon-system-sysv";
        assert!(names(Family::Debian, false).contains(&sysv));
        assert!(!names(Family::Debian, true).contains(&sysv));
        assert!(!names(Family::Fedora, false).contains(&sysv));
    }
}
