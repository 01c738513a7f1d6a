//! Records of Debian packages, as `apt-cache dumpavail` and `dpkg-scanpackages` write them
//! (<https://www.debian.org/doc/debian-policy/ch-controlfields.html>).

use std::path::{Path, PathBuf};

use deb822_fast::{Deb822, Paragraph};

use super::package::{Digest, Package};
use super::{RepoError, Result, Version};

/// The packages that these records describe. `index` names them in errors, `file` says where a package's file is.
pub(super) fn read(
    index: &Path,
    text: &str,
    file: impl Fn(&Paragraph, &Package) -> Result<PathBuf>,
) -> Result<Vec<Package>> {
    let records: Deb822 =
        text.parse().map_err(|error| RepoError::index(index, &format!("{error:?}")))?;
    records
        .iter()
        .map(|record| {
            let mut package = package(index, record)?;
            package.file = file(record, &package)?;
            Ok(package)
        })
        .collect()
}

/// A package, but for its file.
fn package(index: &Path, record: &Paragraph) -> Result<Package> {
    let field = |name: &str| {
        let missing = || RepoError::index(index, &format!("a package has no field `{name}`"));
        record.get(name).map(str::trim).ok_or_else(missing)
    };
    let wrong = |error: String| RepoError::index(index, &error);
    let size = field("Size")?;
    let digest = field("SHA256")?;
    Ok(Package {
        name: field("Package")?.to_owned(),
        arch: field("Architecture")?.to_owned(),
        version: Version::deb(field("Version")?).map_err(wrong)?,
        file: PathBuf::new(),
        size: size.parse().map_err(|_| wrong(format!("`{size}` is no size")))?,
        digest: Digest::new("sha256", digest)
            .ok_or_else(|| wrong(format!("`{digest}` is no digest")))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDS: &str = "Package: engine\nVersion: 1:4.5-2\nArchitecture: all\nSize: 12\nSHA256: AB\n\
                           Description: an engine\n of two lines\n\nPackage: vdsm\nVersion: 4.50\nArchitecture: amd64\n\
                           Size: 7\nSHA256: cd\n";

    #[test]
    fn records_are_read() {
        let packages = read(Path::new("Packages"), RECORDS, |_, package| {
            Ok(PathBuf::from(format!("{}.deb", package.name)))
        });
        let packages = packages.unwrap();
        let shown: Vec<_> = packages
            .iter()
            .map(|p| format!("{} {} {} {}", p.name, p.version, p.arch, p.file.display()))
            .collect();
        assert_eq!(shown, ["engine 1:4.5-2 all engine.deb", "vdsm 4.50 amd64 vdsm.deb"]);
        assert_eq!(packages[0].digest.hex, "ab");
    }

    #[test]
    fn what_is_missing_is_said() {
        let text = RECORDS.replace("Size: 7\n", "");
        let error = read(Path::new("Packages"), &text, |_, _| Ok(PathBuf::new())).unwrap_err();
        assert!(error.to_string().ends_with("a package has no field `Size`"), "{error}");
    }
}
