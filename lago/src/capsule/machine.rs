//! The machine that a capsule is saved or opened on, as far as the memory of guests has to do with it.

use std::collections::BTreeMap;
use std::env::consts::ARCH;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::host::{Acceleration, probe, versions};
use crate::utils::parallel;

/// What a capsule was saved on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The architecture of its processors.
    pub arch: String,
    /// What QEMU says about itself.
    pub qemu: String,
    /// What libvirt says about itself.
    pub libvirt: String,
    /// The processor and the kernel, which matter to guests that run on them rather than on emulated ones.
    pub processor: String,
    /// The machine type of each VM whose memory is in the capsule, such as `pc-q35-7.2`.
    pub machine_types: BTreeMap<String, String>,
}

impl Machine {
    /// This one.
    pub(super) fn this() -> Result<Self> {
        let versions = parallel([versions::emulator as fn() -> _, versions::libvirt], |ask| ask())?;
        let [qemu, libvirt] = <[String; 2]>::try_from(versions).unwrap_or_default();
        Ok(Self {
            arch: ARCH.to_owned(),
            qemu,
            libvirt,
            processor: versions::processor(),
            machine_types: BTreeMap::new(),
        })
    }
}

/// What a machine offers to guests whose memory comes from elsewhere.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) machine: Machine,
    pub(super) machine_types: Vec<String>,
    pub(super) kvm: Result<(), String>,
}

impl Offer {
    /// What this machine offers.
    pub(super) fn here() -> Result<Self> {
        let probed = probe();
        let has_kvm = probed.acceleration == Acceleration::Kvm;
        Ok(Self {
            machine: Machine::this()?,
            machine_types: versions::machine_types()?,
            kvm: if has_kvm { Ok(()) } else { Err(probed.reason) },
        })
    }
}

/// How a machine differs from the one that a capsule was saved on.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Differences {
    /// What keeps the guests from running.
    pub(super) obstacles: Vec<String>,
    /// What may keep them from running.
    pub(super) doubts: Vec<String>,
}

/// Compares the machine that memory was saved on, under this acceleration, with the one where it is wanted.
pub(super) fn compare(saved: &Machine, acceleration: Acceleration, offer: &Offer) -> Differences {
    let mut differences = Differences::default();
    let here = &offer.machine;
    if saved.arch != here.arch {
        let (saved, here) = (&saved.arch, &here.arch);
        differences
            .obstacles
            .push(format!("its guests run on {saved}, and this machine is {here}"));
    }
    if let (Acceleration::Kvm, Err(reason)) = (acceleration, &offer.kvm) {
        differences
            .obstacles
            .push(format!("its guests ran under KVM, which does not work here: {reason}"));
    }
    let mut lacking: Vec<&str> = saved.machine_types.values().map(String::as_str).collect();
    lacking.sort_unstable();
    lacking.dedup();
    lacking.retain(|wanted| !offer.machine_types.iter().any(|offered| offered == wanted));
    if !lacking.is_empty() {
        differences.obstacles.push(format!(
            "it was saved with the machine type {} by {}, which the emulator of this machine, {}, does not have",
            lacking.join(", "),
            saved.qemu,
            here.qemu
        ));
    }
    if saved.qemu != here.qemu {
        differences.doubts.push(format!("saved by {}, here is {}", saved.qemu, here.qemu));
    }
    if saved.libvirt != here.libvirt {
        differences.doubts.push(format!("saved by {}, here is {}", saved.libvirt, here.libvirt));
    }
    if acceleration == Acceleration::Kvm {
        differences.doubts.extend(processors(&saved.processor, &here.processor));
    }
    differences
}

/// How two processors, each as lines of names and values, differ.
fn processors(saved: &str, here: &str) -> Option<String> {
    let differing: Vec<String> = saved
        .lines()
        .filter(|line| !here.lines().any(|other| other == *line))
        .map(|line| match line.split_once(": ") {
            Some(("flags" | "Features" | "features", flags)) => missing_flags(flags, here),
            _ => line.to_owned(),
        })
        .collect();
    (!differing.is_empty())
        .then(|| format!("saved on another processor or kernel ({})", differing.join(", ")))
}

fn missing_flags(flags: &str, here: &str) -> String {
    let has = |flag: &&str| here.split_whitespace().any(|other| other == *flag);
    let missing: Vec<&str> = flags.split_whitespace().filter(|flag| !has(flag)).collect();
    match missing.len() {
        0 => "this one has more features".to_owned(),
        _ => format!("this one lacks {}", missing.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine {
            arch: "x86_64".into(),
            qemu: "QEMU emulator version 7.2.22".into(),
            libvirt: "libvirtd (libvirt) 9.0.0".into(),
            processor: "model name: A Xeon\nflags: fpu sse avx\nkernel: 6.1.0".into(),
            machine_types: BTreeMap::from([("server".into(), "pc-q35-7.2".into())]),
        }
    }

    fn offer() -> Offer {
        let machine_types = vec!["pc-q35-7.1".into(), "pc-q35-7.2".into()];
        Offer { machine: machine(), machine_types, kvm: Ok(()) }
    }

    #[test]
    fn the_same_machine_has_no_differences() {
        for acceleration in [Acceleration::Kvm, Acceleration::Tcg] {
            let found = compare(&machine(), acceleration, &offer());
            assert_eq!(found, Differences::default());
        }
    }

    #[test]
    fn what_guests_cannot_do_without_is_an_obstacle() {
        let mut other = offer();
        other.machine_types.pop();
        other.kvm = Err("the processor does not virtualize".into());
        other.machine.arch = "aarch64".into();
        let found = compare(&machine(), Acceleration::Kvm, &other);
        assert_eq!(found.obstacles.len(), 3, "{found:#?}");
        assert!(found.obstacles[2].contains("pc-q35-7.2"), "{found:#?}");
        let emulated = compare(&machine(), Acceleration::Tcg, &other);
        assert_eq!(emulated.obstacles.len(), 2, "emulation needs no KVM: {emulated:#?}");
    }

    #[test]
    fn other_programs_are_a_doubt_and_another_processor_only_under_kvm() {
        let mut other = offer();
        other.machine.qemu = "QEMU emulator version 8.2.2".into();
        other.machine.processor = "model name: An EPYC\nflags: fpu sse\nkernel: 6.1.0".into();
        let found = compare(&machine(), Acceleration::Kvm, &other);
        assert_eq!(found.obstacles, Vec::<String>::new());
        assert_eq!(
            found.doubts,
            [
                "saved by QEMU emulator version 7.2.22, here is QEMU emulator version 8.2.2",
                "saved on another processor or kernel (model name: A Xeon, this one lacks avx)"
            ]
        );
        assert_eq!(compare(&machine(), Acceleration::Tcg, &other).doubts.len(), 1);
    }
}
