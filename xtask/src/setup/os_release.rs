//! Which distribution this is, from `os-release(5)`.

use std::fs;

use anyhow::{Context, Result, bail};

/// Distributions that share a package manager and its package names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Debian, Ubuntu and what derives from them: apt.
    Debian,
    /// Fedora: dnf.
    Fedora,
    /// RHEL, CentOS Stream, Alma, Rocky: dnf, with other names for QEMU, and EPEL for some packages.
    EnterpriseLinux,
}

/// The fields of os-release that tell the family.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct OsRelease {
    id: String,
    id_like: Vec<String>,
    pretty_name: String,
}

impl OsRelease {
    /// Reads this machine's file.
    pub(crate) fn read() -> Result<Self> {
        let text = ["/etc/os-release", "/usr/lib/os-release"]
            .iter()
            .find_map(|path| fs::read_to_string(path).ok());
        Ok(Self::parse(
            &text.context("neither /etc/os-release nor /usr/lib/os-release can be read")?,
        ))
    }

    fn parse(text: &str) -> Self {
        let mut this = Self::default();
        for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
            // Values follow the shell's quoting; one that does not is of no use here.
            let value = shlex::split(value).unwrap_or_default().join(" ");
            match key.trim() {
                "ID" => this.id = value,
                "ID_LIKE" => this.id_like = value.split_whitespace().map(str::to_owned).collect(),
                "PRETTY_NAME" => this.pretty_name = value,
                _ => {}
            }
        }
        this
    }

    /// The family of this distribution, by its own name first, then by what it says it is like.
    pub(crate) fn family(&self) -> Result<Family> {
        let names = std::iter::once(&self.id).chain(&self.id_like);
        let family = names.map(String::as_str).find_map(|name| match name {
            "debian" | "ubuntu" => Some(Family::Debian),
            // Listed before "fedora" in their ID_LIKE.
            "rhel" | "centos" => Some(Family::EnterpriseLinux),
            "fedora" => Some(Family::Fedora),
            _ => None,
        });
        let Some(family) = family else {
            bail!(
                "setup knows apt on Debian and Ubuntu, and dnf on Fedora and Enterprise Linux; this is {} (ID={}). \
                 Install by hand what xtask/src/setup/packages.rs lists",
                self.pretty_name,
                self.id
            );
        };
        Ok(family)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family(text: &str) -> Result<Family> {
        OsRelease::parse(text).family()
    }

    #[test]
    fn the_family_is_told_by_name() {
        let debian = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nID=debian\n";
        assert_eq!(family(debian).unwrap(), Family::Debian);
        assert_eq!(family("ID=ubuntu\nID_LIKE=debian\n").unwrap(), Family::Debian);
        assert_eq!(family("ID=fedora\n").unwrap(), Family::Fedora);
    }

    #[test]
    fn a_derivative_is_told_by_what_it_is_like() {
        let mint = "# a comment\nID=linuxmint\nID_LIKE=\"ubuntu debian\"\n";
        assert_eq!(family(mint).unwrap(), Family::Debian);
        let rocky = "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n";
        assert_eq!(family(rocky).unwrap(), Family::EnterpriseLinux);
    }

    #[test]
    fn centos_stream_which_is_like_rhel_is_not_taken_for_fedora() {
        let stream = "ID=\"centos\"\nID_LIKE=\"rhel fedora\"\n";
        assert_eq!(family(stream).unwrap(), Family::EnterpriseLinux);
    }

    #[test]
    fn an_unknown_distribution_is_named() {
        let error = family("ID=void\nPRETTY_NAME='Void Linux'\n").unwrap_err().to_string();
        assert!(error.contains("this is Void Linux (ID=void)"), "{error}");
    }
}
