//! How domains run: with hardware virtualization, or emulated.

use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use rustix::process::geteuid;
use serde::{Deserialize, Serialize};

use super::device::Access;
use super::{kvm, search_path};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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

/// Whether hardware virtualization works here, on a private host of this user.
///
/// The device alone says little: in a container or a cloud VM `/dev/kvm` may exist, open and answer, on a processor that
/// cannot do what it promises. A guest's kernel then hangs for ever. So the processor has to have the feature, too.
pub fn probe() -> Probe {
    judge(processor_virtualizes(Path::new("/")), ask_kvm())
}

/// The version of KVM's interface, if QEMU will be able to use it; else the reason why not.
fn ask_kvm() -> Result<i32, String> {
    let access = Access::of(Path::new(kvm::DEVICE)).map_err(|error| error.to_string())?;
    let uid = geteuid().as_raw();
    if !search_path::is_privileged() && !access.survives_setgroups(uid) {
        return Err(format!(
            "this user may open it only as a member of its group, and libvirt drops the groups when it starts QEMU; \
             mend it with `sudo setfacl --modify user:{uid}:rw {}`",
            kvm::DEVICE
        ));
    }
    kvm::api_version().map_err(|error| error.to_string())
}

/// Whether the processor says that it can virtualize.
///
/// x86 says so in the flags. Elsewhere (s390x, arm64) there is no such flag, and the module loads only where it works.
pub(super) fn processor_virtualizes(root: &Path) -> bool {
    if cfg!(not(any(target_arch = "x86", target_arch = "x86_64"))) {
        return root.join("sys/module/kvm").exists();
    }
    let cpuinfo = fs::read_to_string(root.join("proc/cpuinfo")).unwrap_or_default();
    cpuinfo
        .lines()
        .filter_map(|line| line.strip_prefix("flags")?.split_once(':'))
        .any(|(_, flags)| flags.split_whitespace().any(|flag| matches!(flag, "vmx" | "svm")))
}

/// The verdict on what the processor says and what `/dev/kvm` answers.
fn judge(processor: bool, api_version: Result<i32, String>) -> Probe {
    let emulate = |reason: String| Probe { acceleration: Acceleration::Tcg, reason };
    match api_version {
        _ if !processor => emulate(
            "the processor shows no hardware virtualization (neither vmx nor svm in /proc/cpuinfo), whatever /dev/kvm \
             says; in a VM, its host has to pass it on, and on a real machine the firmware has to switch it on"
                .to_owned(),
        ),
        Err(error) => emulate(format!("/dev/kvm cannot be used: {error}")),
        Ok(version) if version != kvm::API_VERSION => emulate(format!(
            "/dev/kvm speaks version {version} of its interface, QEMU speaks {}",
            kvm::API_VERSION
        )),
        Ok(_) => Probe {
            acceleration: Acceleration::Kvm,
            reason: "the processor has hardware virtualization, and /dev/kvm answers".to_owned(),
        },
    }
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
    use super::{Acceleration, AccelerationChoice, judge, processor_virtualizes};

    fn machine(flags: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("proc")).unwrap();
        let cpuinfo = format!("processor\t: 0\nflags\t\t: fpu {flags} sse2\n");
        std::fs::write(root.path().join("proc/cpuinfo"), cpuinfo).unwrap();
        root
    }

    #[test]
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    fn the_processors_flags() {
        assert!(processor_virtualizes(machine("vmx").path()));
        assert!(processor_virtualizes(machine("de svm").path()));
        assert!(!processor_virtualizes(machine("vme vmx_like").path()));
        assert!(!processor_virtualizes(std::path::Path::new("/nonexistent")));
    }

    #[test]
    fn a_device_without_the_processors_feature_is_a_trap() {
        let probe = judge(false, Ok(12));
        assert_eq!(probe.acceleration, Acceleration::Tcg);
        assert!(probe.reason.contains("neither vmx nor svm"), "{}", probe.reason);
    }

    #[test]
    fn the_feature_without_a_usable_device_is_not_enough() {
        let probe = judge(true, Err("Permission denied".to_owned()));
        assert_eq!(probe.acceleration, Acceleration::Tcg);
        assert!(probe.reason.contains("/dev/kvm cannot be used: Permission"), "{}", probe.reason);
        assert_eq!(judge(true, Ok(11)).acceleration, Acceleration::Tcg);
    }

    #[test]
    fn both_make_kvm() {
        assert_eq!(judge(true, Ok(12)).acceleration, Acceleration::Kvm);
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
