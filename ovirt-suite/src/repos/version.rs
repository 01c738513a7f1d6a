//! Versions of packages.

use std::cmp::Ordering;
use std::fmt;

use rpm_version::Evr;

/// The version of a package, ordered as the package managers of its family order versions: an epoch counts before all else.
///
/// ```
/// # use ovirt_suite::repos::Version;
/// let version = |epoch, version, release| Version::rpm(epoch, version, release);
/// assert!(version("1", "2.0", "1.el9") > version("0", "10.0", "1.el9"));
/// assert!(version("", "4.4.10", "2") > version("0", "4.4.9", "3"));
/// assert!(Version::deb("1.0~rc1-1")? < Version::deb("1.0-1")?);
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone)]
pub enum Version {
    /// Of an RPM: epoch, version, release.
    Rpm(Evr<'static>),
    /// Of a Debian package.
    Deb(debversion::Version),
}

impl Version {
    /// That of an RPM. No epoch is the epoch 0, which is not written.
    pub fn rpm(epoch: &str, version: &str, release: &str) -> Self {
        let epoch = if epoch == "0" { "" } else { epoch };
        Self::Rpm(Evr::new(epoch.to_owned(), version.to_owned(), release.to_owned()))
    }

    /// That of a Debian package.
    ///
    /// # Errors
    /// When it is none.
    pub fn deb(version: &str) -> Result<Self, String> {
        version
            .parse()
            .map(Self::Deb)
            .map_err(|error| format!("`{version}` is no version: {error}"))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rpm(version) => version.fmt(f),
            Self::Deb(version) => version.fmt(f),
        }
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Rpm(one), Self::Rpm(other)) => one.cmp(other),
            (Self::Deb(one), Self::Deb(other)) => one.cmp(other),
            // They never meet: a repository is of one family.
            (Self::Rpm(_), Self::Deb(_)) => Ordering::Less,
            (Self::Deb(_), Self::Rpm(_)) => Ordering::Greater,
        }
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_rpm_without_an_epoch_has_epoch_zero() {
        let versions = ["", "0"].map(|epoch| Version::rpm(epoch, "1.0", "1"));
        assert_eq!(versions[0], versions[1]);
        assert_eq!(versions[1].to_string(), "1.0-1");
    }

    #[test]
    fn tildes_and_carets_are_ordered_as_rpm_does() {
        let order = ["1.0~beta", "1.0", "1.0^git1", "1.0.1"].map(|v| Version::rpm("0", v, "1"));
        assert!(order.is_sorted());
    }

    #[test]
    fn debian_epochs_count_first() {
        assert!(Version::deb("1:0.5").unwrap() > Version::deb("9.9").unwrap());
    }
}
