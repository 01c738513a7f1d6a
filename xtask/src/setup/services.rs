//! Services that come with packages of which only the programs are wanted.

use anyhow::Result;

use super::packages::Needed;
use super::privilege::{self, User};

/// Debian starts a service when its package is installed. This one would give and take container images on every
/// interface of the machine, to and from anybody; the tests start one of their own, on the loopback interface.
const UNWANTED: &[(&str, &str)] = &[("docker-registry", "docker-registry.service")];

/// Masks the unwanted services of packages that are about to be installed.
pub(super) fn mask(installing: &[Needed], user: &User) -> Result<()> {
    let Some(argv) = planned(installing) else { return Ok(()) };
    println!(
        "setup: the tests start a registry of their own; the service of the package stays off"
    );
    privilege::run_as_root(user, &argv)
}

/// The command that [`mask`] would run here.
pub(super) fn planned(installing: &[Needed]) -> Option<Vec<String>> {
    argv(installing).filter(|_| super::booted_with_systemd())
}

fn argv(installing: &[Needed]) -> Option<Vec<String>> {
    let is_installed = |package: &str| installing.iter().any(|needed| needed.name == package);
    let units = UNWANTED.iter().filter(|(package, _)| is_installed(package)).map(|(_, unit)| *unit);
    let units: Vec<&str> = units.collect();
    let words = ["systemctl", "mask"].into_iter().chain(units.iter().copied());
    (!units.is_empty()).then(|| words.map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::os_release::Family;
    use crate::setup::packages::needed;

    #[test]
    fn a_registry_for_everybody_is_not_started() {
        let all = needed(Family::Debian, true);
        assert_eq!(argv(&all).unwrap().join(" "), "systemctl mask docker-registry.service");
        assert_eq!(argv(&all[..3]), None);
        for (package, _) in UNWANTED {
            assert!(all.iter().any(|needed| needed.name == *package), "{package} is not installed");
        }
    }
}
