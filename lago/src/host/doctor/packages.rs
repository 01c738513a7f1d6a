//! How packages are installed here.

use super::system::System;

/// The packages that hold one thing, by family of distributions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packages {
    /// For apt.
    pub(super) debian: &'static str,
    /// For dnf.
    pub(super) fedora: &'static str,
}

impl Packages {
    /// The command that installs them; `None` on a distribution of another family.
    pub(super) fn install(self, system: &System) -> Option<String> {
        match family(&system.read("/etc/os-release"))? {
            Family::Debian => Some(format!("sudo apt-get install {}", self.debian)),
            Family::Fedora => Some(format!("sudo dnf install {}", self.fedora)),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Family {
    Debian,
    Fedora,
}

/// The family, from the text of `os-release`.
fn family(os_release: &str) -> Option<Family> {
    let of = |key: &str| {
        let value = os_release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        value.unwrap_or_default().trim_matches(['"', '\''])
    };
    of("ID").split_whitespace().chain(of("ID_LIKE").split_whitespace()).find_map(|id| match id {
        "debian" | "ubuntu" => Some(Family::Debian),
        "fedora" | "rhel" | "centos" => Some(Family::Fedora),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families() {
        assert_eq!(family("ID=debian\nVERSION_ID=\"12\"\n"), Some(Family::Debian));
        assert_eq!(
            family("NAME=Mint\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\n"),
            Some(Family::Debian)
        );
        assert_eq!(
            family("ID=\"almalinux\"\nID_LIKE=\"rhel centos fedora\"\n"),
            Some(Family::Fedora)
        );
        assert_eq!(family("ID=arch\n"), None);
        assert_eq!(family(""), None);
    }
}
