//! The metadata of a yum repository: `repodata/repomd.xml`, and the list of packages that it names. The forms are those of
//! <https://github.com/rpm-software-management/createrepo_c>.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use quick_xml::de::from_reader;
use serde::Deserialize;

use super::layout::inside;
use super::package::{Digest, Package};
use super::{RepoError, Result, Version};

#[derive(Deserialize)]
struct RepoMd {
    #[serde(default)]
    data: Vec<Data>,
}

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "@type")]
    kind: String,
    checksum: Checksum,
    location: Location,
}

#[derive(Deserialize)]
struct Checksum {
    #[serde(rename = "@type")]
    algorithm: String,
    #[serde(rename = "$text")]
    hex: String,
}

#[derive(Deserialize)]
struct Location {
    #[serde(rename = "@href")]
    href: String,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default, rename = "package")]
    packages: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    arch: String,
    version: Evr,
    checksum: Checksum,
    size: Size,
    location: Location,
}

#[derive(Deserialize)]
struct Evr {
    #[serde(default, rename = "@epoch")]
    epoch: String,
    #[serde(rename = "@ver")]
    version: String,
    #[serde(rename = "@rel")]
    release: String,
}

#[derive(Deserialize)]
struct Size {
    #[serde(rename = "@package")]
    package: u64,
}

/// The packages that the metadata in `dir/repodata` list. The list itself has to have the digest that `repomd.xml` gives.
pub(super) fn read(dir: &Path) -> Result<Vec<Package>> {
    let path = primary(dir)?;
    let file = BufReader::new(File::open(&path).map_err(RepoError::io("read", &path))?);
    let metadata: Metadata =
        from_reader(decompressed(&path, file)?).map_err(|error| RepoError::index(&path, &error))?;
    metadata.packages.into_iter().map(|entry| entry.package(&path)).collect()
}

/// The file with the list of packages, verified.
fn primary(dir: &Path) -> Result<PathBuf> {
    let repomd = dir.join("repodata/repomd.xml");
    let file = BufReader::new(File::open(&repomd).map_err(RepoError::io("read", &repomd))?);
    let content: RepoMd = from_reader(file).map_err(|error| RepoError::index(&repomd, &error))?;
    let data = content.data.into_iter().find(|data| data.kind == "primary");
    let data = data.ok_or_else(|| RepoError::index(&repomd, &"it names no list of packages"))?;
    let path = dir.join(inside(&repomd, &data.location.href)?);
    let digest = data.checksum.digest(&repomd)?;
    if !digest.is_of(&path).map_err(RepoError::io("read", &path))? {
        return Err(RepoError::index(&path, &"its digest is not the one that repomd.xml gives"));
    }
    Ok(path)
}

fn decompressed<'a>(path: &Path, file: impl BufRead + 'a) -> Result<Box<dyn BufRead + 'a>> {
    let end = path.extension().and_then(|end| end.to_str()).unwrap_or_default();
    Ok(match end {
        "xml" => Box::new(file),
        "gz" => Box::new(BufReader::new(flate2::bufread::MultiGzDecoder::new(file))),
        "xz" => Box::new(BufReader::new(liblzma::bufread::XzDecoder::new(file))),
        "zst" => {
            let decoder =
                zstd::Decoder::with_buffer(file).map_err(RepoError::io("decompress", path))?;
            Box::new(BufReader::new(decoder))
        }
        other => return Err(RepoError::index(path, &format!("nothing here reads `.{other}`"))),
    })
}

impl Checksum {
    fn digest(&self, index: &Path) -> Result<Digest> {
        Digest::new(&self.algorithm, self.hex.trim()).ok_or_else(|| {
            let reason = format!("its digests are {}, which proves nothing", self.algorithm);
            RepoError::index(index, &reason)
        })
    }
}

impl Entry {
    fn package(self, index: &Path) -> Result<Package> {
        let Evr { epoch, version, release } = &self.version;
        Ok(Package {
            version: Version::rpm(epoch, version, release),
            file: inside(index, &self.location.href)?,
            size: self.size.package,
            digest: self.checksum.digest(index)?,
            name: self.name,
            arch: self.arch,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use sha2::{Digest as _, Sha256};

    use super::*;

    const PRIMARY: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<metadata xmlns="http://linux.duke.edu/metadata/common" packages="1">
<package type="rpm">
  <name>vdsm</name>
  <arch>noarch</arch>
  <version epoch="1" ver="4.50" rel="2.el9"/>
  <checksum type="sha256" pkgid="YES">AB12</checksum>
  <summary>A &amp; B</summary>
  <size package="1234" installed="1" archive="2"/>
  <location href="Packages/v/vdsm-4.50-2.el9.noarch.rpm"/>
  <format><rpm:license>GPL</rpm:license></format>
</package>
</metadata>"#;

    fn repository(primary: &str, digest_of: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("repodata")).unwrap();
        let hex = format!("{:x}", Sha256::digest(digest_of));
        let repomd = format!(
            "<repomd><data type=\"filelists\"><checksum type=\"sha\">1</checksum><location href=\"x\"/></data>\
             <data type=\"primary\"><checksum type=\"sha256\">{hex}</checksum>\
             <location href=\"repodata/primary.xml\"/></data></repomd>"
        );
        fs::write(dir.path().join("repodata/repomd.xml"), repomd).unwrap();
        fs::write(dir.path().join("repodata/primary.xml"), primary).unwrap();
        dir
    }

    #[test]
    fn a_package_is_read() {
        let dir = repository(PRIMARY, PRIMARY);
        let packages = read(dir.path()).unwrap();
        assert_eq!(packages.len(), 1);
        assert_eq!(packages[0].name, "vdsm");
        assert_eq!(packages[0].version.to_string(), "1:4.50-2.el9");
        assert_eq!((packages[0].size, packages[0].digest.hex.as_str()), (1234, "ab12"));
        assert_eq!(packages[0].file, Path::new("Packages/v/vdsm-4.50-2.el9.noarch.rpm"));
    }

    #[test]
    fn a_list_that_was_changed_is_refused() {
        let error = read(repository(PRIMARY, "another list").path()).unwrap_err().to_string();
        assert!(error.contains("its digest is not the one that repomd.xml gives"), "{error}");
    }

    #[test]
    fn weak_digests_are_refused() {
        let weak = PRIMARY.replace("type=\"sha256\"", "type=\"sha\"");
        let error = read(repository(&weak, &weak).path()).unwrap_err().to_string();
        assert!(error.contains("its digests are sha, which proves nothing"), "{error}");
    }
}
