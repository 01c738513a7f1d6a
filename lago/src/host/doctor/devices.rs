//! The device nodes that QEMU opens.

use std::io;

use super::super::acceleration;
use super::super::device::Access;
use super::Check;
use super::system::System;

pub(super) fn checks(system: &System) -> Vec<Check> {
    vec![tun(system), virtualization(system), kvm(system)]
}

/// Without it QEMU cannot have a network card.
fn tun(system: &System) -> Check {
    const NAME: &str = "/dev/net/tun";
    match Access::of(&system.file(NAME)) {
        Ok(_) => Check::ok(NAME, "can be used"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let detail = "does not exist; the network cards of virtual machines need it";
            Check::missing(NAME, detail, "sudo modprobe tun".to_owned())
        }
        Err(error) => {
            let detail =
                format!("cannot be used ({error}); the network cards of virtual machines need it");
            Check::missing(NAME, detail, format!("sudo chmod 0666 {NAME}"))
        }
    }
}

fn virtualization(system: &System) -> Check {
    const NAME: &str = "hardware virtualization";
    if acceleration::processor_virtualizes(&system.root) {
        return Check::ok(NAME, "the processor has it");
    }
    let detail = "the processor does not show it, so guests are emulated, ten times slower; a VM needs nested \
                  virtualization from its host, a real machine a switch in its firmware";
    Check::warning(NAME, detail, None)
}

fn kvm(system: &System) -> Check {
    const NAME: &str = "/dev/kvm";
    if !acceleration::processor_virtualizes(&system.root) {
        return Check::ok(
            NAME,
            "not used without hardware virtualization, whether it exists or not",
        );
    }
    match Access::of(&system.file(NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let detail = "does not exist, so guests are emulated, ten times slower";
            Check::warning(NAME, detail, "sudo modprobe -a kvm_intel kvm_amd".to_owned())
        }
        Err(error) => {
            let detail =
                format!("cannot be used ({error}), so guests are emulated, ten times slower");
            Check::warning(NAME, detail, grant(system))
        }
        Ok(found) if system.privileged || found.survives_setgroups(system.uid) => {
            Check::ok(NAME, "can be used")
        }
        Ok(_) => {
            let detail = format!(
                "{} may use it only as a member of its group, and libvirt drops the groups when it starts QEMU",
                system.user
            );
            Check::warning(NAME, detail, grant(system))
        }
    }
}

/// Access for the user itself, which no change of groups takes away.
fn grant(system: &System) -> String {
    format!("sudo setfacl --modify user:{}:rw /dev/kvm", system.user)
}
