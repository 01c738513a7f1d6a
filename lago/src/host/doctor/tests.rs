//! Machines that lack things, made of directories.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use super::system::System;
use super::{Check, Status, examine};

struct Machine(tempfile::TempDir);

impl Machine {
    fn bare() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A Debian machine with everything.
    fn complete() -> Self {
        let machine = Self::bare();
        for program in [
            "libvirtd",
            "qemu-system-x86_64",
            "qemu-system-aarch64",
            "qemu-kvm",
            "qemu-img",
            "dnsmasq",
            "nft",
            "pasta",
            "ip",
            "setsid",
            "flock",
            "mount",
            "newuidmap",
            "newgidmap",
            "virt-sysprep",
            "virt-customize",
        ] {
            machine.program(program, "");
        }
        machine.program("unshare", "echo unshare from util-linux 2.38.1");
        for driver in ["qemu", "network"] {
            machine.write(
                &format!(
                    "/usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_{driver}.so"
                ),
                "",
            );
        }
        for dir in ["/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt", "/etc/libvirt"] {
            fs::create_dir_all(machine.0.path().join(&dir[1..])).unwrap();
        }
        machine.firmware(&[]);
        machine.write("/etc/os-release", "ID=debian\n");
        machine.write("/etc/subuid", "other:100000:65536\njane:165536:65536\n");
        machine.write("/etc/subgid", "other:100000:65536\n1234:165536:65536\n");
        machine.write("/proc/cpuinfo", "flags\t\t: fpu vmx\n");
        machine.write("/boot/vmlinuz-6.1.0-1-cloud", "");
        machine.write("/lib/modules/6.1.0-1-cloud/modules.dep", "");
        machine.write("/dev/net/tun", "");
        machine.write("/dev/kvm", "");
        fs::set_permissions(machine.0.path().join("dev/kvm"), fs::Permissions::from_mode(0o666))
            .unwrap();
        machine
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.0.path().join(&path[1..]);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// UEFI firmware with these features.
    fn firmware(&self, features: &[&str]) {
        let descriptor = serde_json::json!({
            "interface-types": ["uefi"],
            "mapping": {
                "device": "flash",
                "executable": {"filename": "/usr/share/OVMF/OVMF_CODE.fd", "format": "raw"},
            },
            "targets": [{"architecture": std::env::consts::ARCH, "machines": ["pc-q35-*"]}],
            "features": features,
        });
        self.write("/usr/share/qemu/firmware/60-ovmf.json", &descriptor.to_string());
        self.write("/usr/share/OVMF/OVMF_CODE.fd", "");
    }

    /// A shell writes the file: were it open in this process, a fork in another thread could make it busy.
    fn program(&self, name: &str, script: &str) {
        let path = self.0.path().join("usr/bin").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let status = Command::new("sh")
            .args(["-c", "printf '#!/bin/sh\\n%s\\n' \"$2\" > \"$1\" && chmod 755 \"$1\"", "sh"])
            .args([path.as_os_str(), script.as_ref()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    fn remove(&self, path: &str) {
        let path = self.0.path().join(&path[1..]);
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
    }

    fn system(&self) -> System {
        System {
            root: self.0.path().to_owned(),
            path: OsString::from(self.0.path().join("usr/bin")),
            user: "jane".to_owned(),
            uid: 1234,
            privileged: false,
        }
    }

    /// All that is wrong.
    fn complaints(&self) -> Vec<Check> {
        complaints(&self.system())
    }

    /// The one thing that is wrong: its name, and the command that mends it.
    fn only_complaint(&self) -> (Status, String, String) {
        let complaints = self.complaints();
        let [check] = complaints.as_slice() else { panic!("{complaints:#?}") };
        (check.status, check.name.clone(), check.remedy.clone().unwrap_or_default())
    }
}

fn complaints(system: &System) -> Vec<Check> {
    examine(system).into_iter().filter(|check| check.status != Status::Ok).collect()
}

#[test]
fn a_complete_machine() {
    assert_eq!(Machine::complete().complaints(), []);
}

#[test]
fn a_bare_machine_lacks_everything_and_nothing_crashes() {
    let machine = Machine::bare();
    let names: Vec<String> = machine.complaints().into_iter().map(|check| check.name).collect();
    for expected in [
        "libvirtd",
        "QEMU",
        "qemu-img",
        "dnsmasq",
        "nft",
        "pasta",
        "ip",
        "setsid",
        "flock",
        "mount",
        "libvirt drivers",
        "libvirt directories",
        "unshare",
        "newuidmap",
        "newgidmap",
        "subordinate ids",
        "/dev/net/tun",
        "hardware virtualization",
        "libguestfs",
        "UEFI firmware",
    ] {
        assert!(names.iter().any(|name| name == expected), "{expected} is not among {names:?}");
    }
}

#[test]
fn each_missing_program_names_its_package() {
    for (program, name, package) in [
        ("libvirtd", "libvirtd", "libvirt-daemon-system"),
        ("qemu-img", "qemu-img", "qemu-utils"),
        ("dnsmasq", "dnsmasq", "dnsmasq-base"),
        ("nft", "nft", "nftables"),
        ("newuidmap", "newuidmap", "uidmap"),
        ("ip", "ip", "iproute2"),
    ] {
        let machine = Machine::complete();
        machine.remove(&format!("/usr/bin/{program}"));
        let remedy = format!("sudo apt-get install {package}");
        assert_eq!(machine.only_complaint(), (Status::Missing, name.to_owned(), remedy));
    }
}

#[test]
fn a_machine_without_a_way_out_for_guests_only_warns() {
    let machine = Machine::complete();
    machine.remove("/usr/bin/pasta");
    let remedy = "sudo apt-get install passt".to_owned();
    assert_eq!(machine.only_complaint(), (Status::Warning, "pasta".to_owned(), remedy));
}

#[test]
fn the_packages_of_the_other_family() {
    let machine = Machine::complete();
    machine.write("/etc/os-release", "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n");
    machine.remove("/usr/bin/dnsmasq");
    assert_eq!(machine.only_complaint().2, "sudo dnf install dnsmasq");
}

#[test]
fn a_program_that_cannot_be_executed_is_missing() {
    let machine = Machine::complete();
    machine.write("/usr/bin/dnsmasq", "");
    let file = machine.0.path().join("usr/bin/dnsmasq");
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(machine.only_complaint().1, "dnsmasq");
}

#[test]
fn a_libvirtd_without_its_drivers() {
    let machine = Machine::complete();
    machine.remove("/usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_qemu.so");
    assert_eq!(
        machine.only_complaint().2,
        "sudo apt-get install libvirt-daemon libvirt-daemon-driver-qemu"
    );
}

#[test]
fn a_directory_that_does_not_exist() {
    let machine = Machine::complete();
    machine.remove("/var/log/libvirt");
    assert_eq!(machine.only_complaint().2, "sudo mkdir -p /var/log/libvirt");
}

#[test]
fn an_unshare_that_cannot_map_ids() {
    let machine = Machine::complete();
    machine.program("unshare", "echo unshare from util-linux 2.37.4");
    assert_eq!(machine.only_complaint().1, "unshare");
    let root = System { privileged: true, ..machine.system() };
    assert_eq!(complaints(&root), []);
}

#[test]
fn no_subordinate_ids() {
    let machine = Machine::complete();
    machine.write("/etc/subuid", "other:100000:65536\n");
    machine.write("/etc/subgid", "other:100000:65536\njane:1:100\nbroken\n::\n");
    let remedy = "sudo usermod --add-subuids 165536-231071 --add-subgids 165536-231071 jane";
    assert_eq!(
        machine.only_complaint(),
        (Status::Missing, "subordinate ids".to_owned(), remedy.to_owned())
    );
}

#[test]
fn no_subordinate_groups() {
    let machine = Machine::complete();
    machine.remove("/etc/subgid");
    assert_eq!(machine.only_complaint().2, "sudo usermod --add-subgids 100000-165535 jane");
}

#[test]
fn root_needs_no_subordinate_ids() {
    let machine = Machine::complete();
    for path in ["/etc/subuid", "/etc/subgid", "/usr/bin/newuidmap", "/usr/bin/newgidmap"] {
        machine.remove(path);
    }
    assert_eq!(complaints(&System { privileged: true, ..machine.system() }), []);
}

#[test]
fn kernels_that_forbid_namespaces() {
    for (setting, forbidding, remedy) in [
        ("user/max_net_namespaces", "0", "sudo sysctl -w user.max_net_namespaces=65536"),
        ("user/max_user_namespaces", "0", "sudo sysctl -w user.max_user_namespaces=65536"),
        (
            "kernel/unprivileged_userns_clone",
            "0",
            "sudo sysctl -w kernel.unprivileged_userns_clone=1",
        ),
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
    ] {
        let machine = Machine::complete();
        machine.write(&format!("/proc/sys/{setting}"), &format!("{forbidding}\n"));
        let expected = (Status::Missing, "namespaces".to_owned(), remedy.to_owned());
        assert_eq!(machine.only_complaint(), expected);
    }
}

#[test]
fn a_processor_without_virtualization_only_warns() {
    let machine = Machine::complete();
    machine.write("/proc/cpuinfo", "flags\t\t: fpu sse2\n");
    assert_eq!(
        machine.only_complaint(),
        (Status::Warning, "hardware virtualization".to_owned(), String::new())
    );
}

#[test]
fn devices_that_do_not_exist() {
    let machine = Machine::complete();
    machine.remove("/dev/kvm");
    let remedy = "sudo modprobe -a kvm_intel kvm_amd";
    assert_eq!(
        machine.only_complaint(),
        (Status::Warning, "/dev/kvm".to_owned(), remedy.to_owned())
    );

    let machine = Machine::complete();
    machine.remove("/dev/net/tun");
    assert_eq!(machine.only_complaint().2, "sudo modprobe tun");
}

#[test]
fn a_device_for_a_group_only() {
    let machine = Machine::complete();
    let device = machine.0.path().join("dev/kvm");
    fs::set_permissions(&device, fs::Permissions::from_mode(0o660)).unwrap();
    let remedy = "sudo setfacl --modify user:jane:rw /dev/kvm";
    assert_eq!(
        machine.only_complaint(),
        (Status::Warning, "/dev/kvm".to_owned(), remedy.to_owned())
    );
}

#[test]
fn libguestfs_is_optional_and_needs_its_programs_and_a_kernel() {
    let machine = Machine::complete();
    machine.remove("/boot/vmlinuz-6.1.0-1-cloud");
    let (status, name, remedy) = machine.only_complaint();
    assert_eq!((status, name.as_str()), (Status::Warning, "libguestfs"));
    assert!(remedy.starts_with("sudo apt-get install linux-image-cloud-"), "{remedy}");
    machine.write("/lib/modules/6.1.0-1-cloud/vmlinuz", "");
    assert_eq!(machine.complaints(), []);
    machine.remove("/usr/bin/virt-customize");
    assert_eq!(machine.only_complaint().2, "sudo apt-get install libguestfs-tools");
    let detail = &machine.complaints()[0].detail;
    assert!(detail.starts_with("virt-customize is not installed; `build` steps"), "{detail}");
}

#[test]
fn uefi_firmware_that_cannot_be_used_only_warns() {
    let missing = |machine: &Machine| {
        let remedy = "sudo apt-get install ovmf".to_owned();
        assert_eq!(machine.only_complaint(), (Status::Warning, "UEFI firmware".to_owned(), remedy));
    };
    let machine = Machine::complete();
    machine.firmware(&["requires-smm", "secure-boot"]);
    missing(&machine);
    machine.firmware(&["acpi-s3"]);
    assert_eq!(machine.complaints(), []);
    // An administrator hides a descriptor behind one by its name.
    machine.write("/etc/qemu/firmware/60-ovmf.json", "");
    missing(&machine);
    machine.remove("/etc/qemu/firmware/60-ovmf.json");
    machine.remove("/usr/share/OVMF/OVMF_CODE.fd");
    missing(&machine);
}

#[test]
fn a_line_tells_what_is_wrong_and_how_to_mend_it() {
    let machine = Machine::complete();
    machine.remove("/usr/bin/dnsmasq");
    let line = machine.complaints()[0].to_string();
    assert_eq!(
        line,
        "dnsmasq: dnsmasq is not installed; it gives the networks DHCP and names; \
         mend it with `sudo apt-get install dnsmasq-base`"
    );
}
