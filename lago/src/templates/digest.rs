//! Digests of images.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::digest::DynDigest;
use sha2::{Sha256, Sha512};

/// The algorithm of a [`Digest`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestAlgorithm {
    /// Of Lago's own repositories. It proves that a copy is complete, not where it comes from.
    Sha1,
    /// The usual one.
    Sha256,
    /// Debian's.
    Sha512,
}

impl DigestAlgorithm {
    pub(super) fn hasher(self) -> Box<dyn DynDigest + Send> {
        match self {
            Self::Sha1 => Box::new(Sha1::default()),
            Self::Sha256 => Box::new(Sha256::default()),
            Self::Sha512 => Box::new(Sha512::default()),
        }
    }

    /// What container registries call it.
    fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    fn of_length(digits: usize) -> Option<Self> {
        match digits {
            40 => Some(Self::Sha1),
            64 => Some(Self::Sha256),
            128 => Some(Self::Sha512),
            _ => None,
        }
    }
}

impl fmt::Display for DigestAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha512 => "SHA-512",
        })
    }
}

/// What identifies an image's content. Its algorithm follows from its length.
///
/// ```
/// # use lago::templates::{Digest, DigestAlgorithm};
/// let line = format!("{}  debian.qcow2", "AB".repeat(32));
/// let digest: Digest = line.parse().unwrap();
/// assert_eq!(digest.algorithm(), DigestAlgorithm::Sha256);
/// assert_eq!(digest.as_hex(), "ab".repeat(32));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest {
    algorithm: DigestAlgorithm,
    hex: String,
}

impl Digest {
    /// The algorithm.
    pub fn algorithm(&self) -> DigestAlgorithm {
        self.algorithm
    }

    /// Its value in lower-case hexadecimal digits.
    pub fn as_hex(&self) -> &str {
        &self.hex
    }

    /// With its algorithm, as container registries write it: `sha256:...`.
    pub fn with_algorithm(&self) -> String {
        format!("{}:{}", self.algorithm.name(), self.hex)
    }

    /// The digest of some bytes.
    pub(super) fn of(algorithm: DigestAlgorithm, bytes: &[u8]) -> Self {
        let mut hasher = algorithm.hasher();
        hasher.update(bytes);
        Self::finish(algorithm, hasher)
    }

    pub(super) fn finish(algorithm: DigestAlgorithm, hasher: Box<dyn DynDigest + Send>) -> Self {
        let mut hex = String::new();
        for byte in hasher.finalize() {
            write!(hex, "{byte:02x}").expect("writing to a string cannot fail");
        }
        Self { algorithm, hex }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex)
    }
}

/// A text that is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "it should begin with the 64 hexadecimal digits of a SHA-256, the 128 of a SHA-512 or the 40 of a SHA-1"
)]
pub struct NoDigest;

impl FromStr for Digest {
    type Err = NoDigest;

    /// Takes the digits alone, with the algorithm before them as in `sha256:...`, or a line as `sha256sum` writes it.
    fn from_str(text: &str) -> Result<Self, NoDigest> {
        let word = text.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
        let (name, hex) = match word.split_once(':') {
            Some((name, hex)) => (Some(name), hex.to_owned()),
            None => (None, word),
        };
        let algorithm = DigestAlgorithm::of_length(hex.len()).ok_or(NoDigest)?;
        if name.is_some_and(|name| name != algorithm.name()) {
            return Err(NoDigest);
        }
        if !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(NoDigest);
        }
        Ok(Self { algorithm, hex })
    }
}

impl TryFrom<String> for Digest {
    type Error = NoDigest;

    fn try_from(text: String) -> Result<Self, NoDigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.hex
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digests_of_a_known_text_are_the_known_ones() {
        let of_abc = |algorithm: DigestAlgorithm| Digest::of(algorithm, b"abc").to_string();
        assert_eq!(of_abc(DigestAlgorithm::Sha1), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert!(of_abc(DigestAlgorithm::Sha256).starts_with("ba7816bf8f01cfea414140de5dae2223"));
        assert!(of_abc(DigestAlgorithm::Sha512).starts_with("ddaf35a193617abacc417349ae204131"));
    }

    #[test]
    fn the_algorithm_may_stand_before_the_digits() {
        let digits = "a".repeat(64);
        assert_eq!(format!("sha256:{digits}").parse(), digits.parse::<Digest>());
        for name in ["sha512", "sha1", "md5", ""] {
            assert_eq!(format!("{name}:{digits}").parse::<Digest>(), Err(NoDigest), "{name}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in
            ["", "abc", &"g".repeat(64), &"a".repeat(63), &"ä".repeat(32), "<!DOCTYPE html>"]
        {
            assert_eq!(text.parse::<Digest>(), Err(NoDigest), "{text}");
        }
    }
}
