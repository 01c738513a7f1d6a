//! How domains run: with hardware virtualization, or emulated.

use std::fmt;
use std::fs::{self, File};
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How the processors of a domain run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Acceleration {
    /// On the host's processors, by the kernel's KVM.
    Kvm,
    /// Emulated by QEMU's TCG. Ten times slower, and needs nothing of the host.
    Tcg,
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AccelerationChoice {
    /// [`Acceleration::Kvm`] where [`probe`] finds that it works.
    #[default]
    Auto,
    /// [`Acceleration::Kvm`], whatever the probe finds.
    Kvm,
    /// [`Acceleration::Tcg`].
    Tcg,
}

/// What was found out about hardware virtualization, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What works here.
    pub acceleration: Acceleration,
    /// Why.
    pub reason: String,
}

/// A text that is no choice of acceleration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no acceleration; choose auto, kvm or tcg")]
pub struct UnknownAcceleration(String);

impl AccelerationChoice {
    /// How domains will run, after a look at this machine if need be.
    pub fn resolve(self) -> Acceleration {
        match self {
            Self::Tcg => Acceleration::Tcg,
            Self::Auto => {
                let found = probe();
                tracing::debug!("acceleration {}: {}", found.acceleration, found.reason);
                found.acceleration
            }
            Self::Kvm => {
                let found = probe();
                if found.acceleration != Acceleration::Kvm {
                    tracing::warn!("kvm was asked for, but guests may hang: {}", found.reason);
                }
                Acceleration::Kvm
            }
        }
    }
}

/// Whether hardware virtualization works here.
///
/// The device alone says little: in a container or a cloud VM `/dev/kvm` may exist, open and answer, on a processor that
/// cannot do what it promises. A guest's kernel then hangs for ever. So the processor has to have the feature, too.
pub fn probe() -> Probe {
    probe_at(Path::new("/"))
}

fn probe_at(root: &Path) -> Probe {
    match missing(root) {
        Some(reason) => Probe { acceleration: Acceleration::Tcg, reason },
        None => Probe {
            acceleration: Acceleration::Kvm,
            reason: "the processor has hardware virtualization, and /dev/kvm can be used"
                .to_owned(),
        },
    }
}

fn missing(root: &Path) -> Option<String> {
    if !processor_virtualizes(root) {
        return Some(
            "the processor shows no hardware virtualization (neither vmx nor svm in /proc/cpuinfo); \
             in a VM, its host has to pass it on"
                .to_owned(),
        );
    }
    let device = File::options().read(true).write(true).open(root.join("dev/kvm"));
    device.err().map(|error| format!("/dev/kvm cannot be used: {error}"))
}

/// x86 says so in the flags; elsewhere (s390x, arm64) the module loads only where it works.
fn processor_virtualizes(root: &Path) -> bool {
    if cfg!(not(any(target_arch = "x86", target_arch = "x86_64"))) {
        return root.join("sys/module/kvm").exists();
    }
    let cpuinfo = fs::read_to_string(root.join("proc/cpuinfo")).unwrap_or_default();
    cpuinfo
        .lines()
        .filter_map(|line| line.strip_prefix("flags")?.split_once(':'))
        .any(|(_, flags)| flags.split_whitespace().any(|flag| matches!(flag, "vmx" | "svm")))
}

impl fmt::Display for Acceleration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        })
    }
}

impl fmt::Display for AccelerationChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        })
    }
}

impl FromStr for AccelerationChoice {
    type Err = UnknownAcceleration;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "kvm" => Ok(Self::Kvm),
            "tcg" => Ok(Self::Tcg),
            _ => Err(UnknownAcceleration(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Acceleration, AccelerationChoice, probe_at};

    fn machine(flags: &str, kvm: bool) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for dir in ["proc", "dev"] {
            std::fs::create_dir(root.path().join(dir)).unwrap();
        }
        let cpuinfo = format!("processor\t: 0\nflags\t\t: fpu {flags} sse2\n");
        std::fs::write(root.path().join("proc/cpuinfo"), cpuinfo).unwrap();
        if kvm {
            std::fs::write(root.path().join("dev/kvm"), "").unwrap();
        }
        root
    }

    #[test]
    fn a_device_without_the_processors_feature_is_a_trap() {
        let probe = probe_at(machine("vme", true).path());
        assert_eq!(probe.acceleration, Acceleration::Tcg);
        assert!(probe.reason.contains("neither vmx nor svm"), "{}", probe.reason);
    }

    #[test]
    fn the_feature_without_the_device_is_not_enough() {
        let probe = probe_at(machine("vmx", false).path());
        assert_eq!(probe.acceleration, Acceleration::Tcg);
        assert!(probe.reason.contains("/dev/kvm"), "{}", probe.reason);
    }

    #[test]
    fn both_make_kvm() {
        assert_eq!(probe_at(machine("svm", true).path()).acceleration, Acceleration::Kvm);
    }

    #[test]
    fn choices_read_back() {
        for choice in [AccelerationChoice::Auto, AccelerationChoice::Kvm, AccelerationChoice::Tcg] {
            assert_eq!(choice.to_string().parse(), Ok(choice));
        }
        assert!(
            "xen"
                .parse::<AccelerationChoice>()
                .unwrap_err()
                .to_string()
                .contains("auto, kvm or tcg")
        );
    }
}
