//! What to install, decided from what the package database and the archives say.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::setup::packages::Needed;

pub(super) const QEMU_SYSTEM: &str = "qemu-system-x86";
pub(super) const QEMU_UTILS: &str = "qemu-utils";

/// What one call of `apt-get install` gets.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) install: Vec<Needed>,
    /// Optional packages that this release does not have.
    pub(super) left_out: Vec<Needed>,
    pub(super) pins: Option<Pins>,
}

/// The versions at which QEMU's two packages go together.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pins {
    pub(super) system: String,
    pub(super) utils: String,
    pub(super) utils_before: String,
}

impl Plan {
    /// Plans for the missing packages.
    ///
    /// `candidates` are the versions that apt would choose, `utils_before` is the version of `qemu-utils` that is
    /// installed and `utils_offered` are those that the archives have.
    pub(super) fn new(
        missing: &[Needed],
        candidates: &BTreeMap<String, String>,
        utils_before: Option<&str>,
        utils_offered: &[String],
    ) -> Result<Self> {
        let (install, absent): (Vec<_>, Vec<_>) =
            missing.iter().copied().partition(|package| candidates.contains_key(package.name));
        let (left_out, required): (Vec<_>, Vec<_>) =
            absent.into_iter().partition(|package| package.optional);
        if !required.is_empty() {
            let names: Vec<_> = required.iter().map(|package| package.name).collect();
            bail!(
                "apt knows no package {}. Is a component such as \"universe\" missing from its sources? \
                 `apt-get update` renews its lists",
                names.join(", ")
            );
        }
        let system = install.iter().find(|package| package.name == QEMU_SYSTEM);
        let pins = match (system, utils_before) {
            (Some(system), Some(before)) => pins(&candidates[system.name], before, utils_offered)?,
            _ => None,
        };
        Ok(Self { install, left_out, pins })
    }

    /// The command, to be run as root.
    pub(super) fn argv(&self, lock_limit: Duration) -> Vec<String> {
        let mut argv: Vec<_> =
            ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes"]
                .map(str::to_owned)
                .into();
        argv.push("--no-install-recommends".to_owned());
        argv.extend(["-o".to_owned(), format!("DPkg::Lock::Timeout={}", lock_limit.as_secs())]);
        if let Some(pins) = &self.pins {
            argv.push("--allow-downgrades".to_owned());
            argv.push(format!("{QEMU_SYSTEM}={}", pins.system));
            argv.push(format!("{QEMU_UTILS}={}", pins.utils));
        }
        let pinned = |package: &&Needed| self.pins.is_some() && package.name == QEMU_SYSTEM;
        let rest = self.install.iter().filter(|package| !pinned(package));
        argv.extend(rest.map(|package| package.name.to_owned()));
        argv
    }
}

/// `qemu-utils` of another release, say from backports, conflicts with the `qemu-system-x86` that apt would choose.
/// Then both have to come from one release, even if that makes `qemu-utils` older.
fn pins(system: &str, utils_before: &str, utils_offered: &[String]) -> Result<Option<Pins>> {
    if upstream(system) == upstream(utils_before) {
        return Ok(None);
    }
    let same = utils_offered.iter().find(|version| *version == system);
    let alike = || utils_offered.iter().find(|version| upstream(version) == upstream(system));
    let Some(utils) = same.or_else(alike) else {
        bail!(
            "{QEMU_UTILS} {utils_before} is installed, apt would install {QEMU_SYSTEM} {system}, and it has no \
             {QEMU_UTILS} that goes with that. Make both available in one version, or remove {QEMU_UTILS}"
        );
    };
    Ok(Some(Pins { system: system.into(), utils: utils.into(), utils_before: utils_before.into() }))
}

/// A Debian version without the distribution's revision: `1:7.2+dfsg` of `1:7.2+dfsg-7+deb12u18`.
fn upstream(version: &str) -> &str {
    version.rsplit_once('-').map_or(version, |(upstream, _)| upstream)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKPORT: &str = "1:10.0.2+ds-2+deb13u1~bpo12+1";
    const STABLE: &str = "1:7.2+dfsg-7+deb12u18+b3";
    const SECURITY: &str = "1:7.2+dfsg-7+deb12u15";

    fn package(name: &'static str, optional: bool) -> Needed {
        Needed { name, why: "a reason", optional }
    }

    fn candidates(of: &[(&str, &str)]) -> BTreeMap<String, String> {
        of.iter().map(|&(name, version)| (name.to_owned(), version.to_owned())).collect()
    }

    fn offered(versions: &[&str]) -> Vec<String> {
        versions.iter().map(|&version| version.to_owned()).collect()
    }

    #[test]
    fn utils_of_another_release_are_brought_to_the_release_of_the_emulator() {
        let missing = [package("cpio", false), package(QEMU_SYSTEM, false)];
        let candidates = candidates(&[("cpio", "2.13"), (QEMU_SYSTEM, STABLE)]);
        let offered = offered(&[SECURITY, STABLE]);

        let plan = Plan::new(&missing, &candidates, Some(BACKPORT), &offered).unwrap();

        assert_eq!(
            plan.argv(Duration::from_secs(9)).join(" "),
            "env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
             -o DPkg::Lock::Timeout=9 --allow-downgrades \
             qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3 qemu-utils=1:7.2+dfsg-7+deb12u18+b3 cpio"
        );
    }

    #[test]
    fn a_build_of_the_same_release_serves_where_the_very_version_is_not_offered() {
        let missing = [package(QEMU_SYSTEM, false)];
        let candidates = candidates(&[(QEMU_SYSTEM, STABLE)]);
        let plan = Plan::new(&missing, &candidates, Some(BACKPORT), &offered(&[SECURITY])).unwrap();
        assert_eq!(plan.pins.unwrap().utils, SECURITY);
    }

    #[test]
    fn nothing_is_pinned_when_the_utils_fit_or_are_installed_anew() {
        let missing = [package(QEMU_SYSTEM, false), package(QEMU_UTILS, false)];
        let candidates = candidates(&[(QEMU_SYSTEM, STABLE), (QEMU_UTILS, STABLE)]);
        for before in [Some(SECURITY), None] {
            let plan = Plan::new(&missing, &candidates, before, &offered(&[STABLE])).unwrap();
            assert_eq!(plan.pins, None);
            assert!(!plan.argv(Duration::ZERO).contains(&"--allow-downgrades".to_owned()));
        }
    }

    #[test]
    fn utils_that_cannot_be_matched_are_an_error_that_names_both() {
        let missing = [package(QEMU_SYSTEM, false)];
        let candidates = candidates(&[(QEMU_SYSTEM, STABLE)]);
        let error =
            Plan::new(&missing, &candidates, Some(BACKPORT), &offered(&[BACKPORT])).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(BACKPORT) && error.contains(STABLE), "{error}");
    }

    #[test]
    fn only_a_required_package_that_apt_does_not_know_is_an_error() {
        let missing = [package("cpio", false), package("passt", true)];
        let known = candidates(&[("cpio", "2.13")]);
        let plan = Plan::new(&missing, &known, None, &[]).unwrap();
        assert_eq!((plan.install, plan.left_out), (vec![missing[0]], vec![missing[1]]));

        let error = Plan::new(&missing, &candidates(&[]), None, &[]).unwrap_err().to_string();
        assert!(error.starts_with("apt knows no package cpio."), "{error}");
    }
}
