//! Packages, and the directories that hold them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::Version;

/// The two kinds of package repositories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// RPMs, for dnf and yum.
    Yum,
    /// Debian packages, for apt.
    Apt,
}

impl Family {
    /// What its packages are called.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Yum => "RPM",
            Self::Apt => "Debian",
        }
    }
}

/// One package as an index describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// The architecture that it is for.
    pub arch: String,
    /// Its version.
    pub version: Version,
    /// Its file, from the directory of its repository.
    pub file: PathBuf,
    /// The size of the file in bytes.
    pub size: u64,
    /// The digest of the file.
    pub digest: Digest,
}

/// A digest by which an index describes a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// How it is computed.
    pub algorithm: Algorithm,
    /// The digest in hexadecimal.
    pub hex: String,
}

/// How a digest is computed. Repositories with a weaker one have to be indexed anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// A directory with packages, and what an index says that is in it.
#[derive(Debug, Clone)]
pub struct SourceRepo {
    /// The directory.
    pub dir: PathBuf,
    /// The packages.
    pub packages: Vec<Package>,
}

impl Package {
    /// Where its file is, in this directory.
    pub fn path_in(&self, dir: &Path) -> PathBuf {
        dir.join(&self.file)
    }
}

/// The newest version of each package for each architecture; of equal ones the first.
pub(super) fn newest<T>(
    items: impl IntoIterator<Item = T>,
    package: impl Fn(&T) -> &Package,
) -> Vec<T> {
    let mut places: HashMap<(String, String), usize> = HashMap::new();
    let mut chosen: Vec<T> = Vec::new();
    for item in items {
        let key = (package(&item).name.clone(), package(&item).arch.clone());
        match places.get(&key) {
            Some(&place) if package(&chosen[place]).version >= package(&item).version => {}
            Some(&place) => chosen[place] = item,
            None => {
                places.insert(key, chosen.len());
                chosen.push(item);
            }
        }
    }
    chosen
}

#[cfg(test)]
pub(super) fn package(name: &str, epoch: &str, version: &str) -> Package {
    Package {
        name: name.to_owned(),
        arch: "noarch".to_owned(),
        version: Version::rpm(epoch, version, "1"),
        file: PathBuf::from(format!("{name}-{version}-1.noarch.rpm")),
        size: 0,
        digest: Digest { algorithm: Algorithm::Sha256, hex: String::new() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_found_by_epoch_then_version() {
        let all = [
            package("vdsm", "0", "10"),
            package("engine", "0", "4.5"),
            package("vdsm", "1", "2"),
            package("engine", "0", "4.10"),
            package("engine", "0", "4.9"),
        ];
        let newest: Vec<_> = newest(&all, |package| *package)
            .iter()
            .map(|package| format!("{} {}", package.name, package.version))
            .collect();
        assert_eq!(newest, ["vdsm 1:2-1", "engine 4.10-1"]);
    }
}
