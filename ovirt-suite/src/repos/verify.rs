//! Whether the packages that a repository should have are there, and whole: what Lago called `repoverify`.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::Package;

/// What is wrong with one package.
#[derive(Debug)]
pub struct Problem {
    /// Its file, from the directory of the repository.
    pub file: PathBuf,
    /// What is wrong with it.
    pub fault: Fault,
}

/// How a package is not what its index says.
#[derive(Debug)]
pub enum Fault {
    /// There is no such file.
    Missing,
    /// It has another size: a download that broke off, as a rule.
    Size {
        /// How many bytes it has.
        found: u64,
        /// How many it should have.
        expected: u64,
    },
    /// It has the size, and other content.
    Digest,
    /// It cannot be read.
    Unreadable(io::Error),
}

/// Compares the files in a directory with what an index says about them: their sizes and their digests. What is fine is not
/// in the list.
pub fn verify(dir: &Path, packages: &[Package]) -> Vec<Problem> {
    let problem = |package: &Package| {
        check(dir, package).map(|fault| Problem { file: package.file.clone(), fault })
    };
    packages.par_iter().filter_map(problem).collect()
}

fn check(dir: &Path, package: &Package) -> Option<Fault> {
    let path = package.path_in(dir);
    let size = match path.metadata() {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Some(Fault::Missing),
        Err(error) => return Some(Fault::Unreadable(error)),
    };
    if size != package.size {
        return Some(Fault::Size { found: size, expected: package.size });
    }
    match package.digest.is_of(&path) {
        Ok(true) => None,
        Ok(false) => Some(Fault::Digest),
        Err(error) => Some(Fault::Unreadable(error)),
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.file.display())?;
        match &self.fault {
            Fault::Missing => f.write_str("is missing"),
            Fault::Size { found, expected } => write!(f, "has {found} bytes instead of {expected}"),
            Fault::Digest => f.write_str("has another content than its index says"),
            Fault::Unreadable(error) => write!(f, "cannot be read: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::package::{Algorithm, Digest, package};
    use super::*;

    /// The digest of `content`.
    const DIGEST: &str = "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73";

    #[test]
    fn what_is_missing_short_or_changed_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let packages = ["whole", "missing", "short", "changed"].map(|name| Package {
            size: 7,
            digest: Digest { algorithm: Algorithm::Sha256, hex: DIGEST.to_owned() },
            ..package(name, "0", "1")
        });
        for (package, content) in [(0, "content"), (2, "cont"), (3, "CONTENT")] {
            fs::write(packages[package].path_in(dir.path()), content).unwrap();
        }
        let problems: Vec<_> =
            verify(dir.path(), &packages).iter().map(Problem::to_string).collect();
        assert_eq!(
            problems,
            [
                "missing-1-1.noarch.rpm is missing",
                "short-1-1.noarch.rpm has 4 bytes instead of 7",
                "changed-1-1.noarch.rpm has another content than its index says",
            ]
        );
    }
}
