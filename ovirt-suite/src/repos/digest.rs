//! Digests of files.

use std::fs::File;
use std::io;
use std::path::Path;

use sha2::digest::Output;
use sha2::{Sha256, Sha512};

use super::package::{Algorithm, Digest};

impl Digest {
    /// One by the names that indexes give algorithms; none for those that are too weak to rely on.
    pub(super) fn new(algorithm: &str, hex: &str) -> Option<Self> {
        let algorithm = match algorithm {
            "sha256" => Algorithm::Sha256,
            "sha512" => Algorithm::Sha512,
            _ => return None,
        };
        Some(Self { algorithm, hex: hex.to_ascii_lowercase() })
    }

    /// Whether a file has it.
    pub(super) fn is_of(&self, path: &Path) -> io::Result<bool> {
        let mut file = File::open(path)?;
        let found = match self.algorithm {
            Algorithm::Sha256 => format!("{:x}", digest::<Sha256>(&mut file)?),
            Algorithm::Sha512 => format!("{:x}", digest::<Sha512>(&mut file)?),
        };
        Ok(found == self.hex)
    }
}

fn digest<D: sha2::Digest + io::Write>(file: &mut File) -> io::Result<Output<D>> {
    let mut hasher = D::new();
    io::copy(file, &mut hasher)?;
    Ok(hasher.finalize())
}
