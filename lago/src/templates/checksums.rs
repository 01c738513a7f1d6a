//! Files that list the digests of images, as distributions publish them.

use super::digest::{Digest, DigestAlgorithm};

/// A checksum file from which the digest of an image cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChecksumFileError {
    /// The image is not listed.
    #[error("it lists no SHA-256 or SHA-512 of {name}{}", listed(names))]
    Missing {
        /// The name that was looked for.
        name: String,
        /// The names that it lists, as far as it lists any.
        names: Vec<String>,
    },
    /// It lists two digests of one kind for the image.
    #[error("it lists two different {algorithm} digests of {name}")]
    Ambiguous {
        /// The name that was looked for.
        name: String,
        /// The kind.
        algorithm: DigestAlgorithm,
    },
}

/// How many of the listed names an error repeats.
const MAX_NAMES: usize = 5;

fn listed(names: &[String]) -> String {
    match names.len() {
        0 => "; it has no digests at all".to_owned(),
        1..=MAX_NAMES => format!("; it lists {}", names.join(", ")),
        more => {
            format!("; it lists {} and {} more", names[..MAX_NAMES].join(", "), more - MAX_NAMES)
        }
    }
}

/// One line with a digest.
struct Line<'a> {
    digest: Digest,
    /// The file that it is of; a file with nothing but a digest names none.
    name: Option<&'a str>,
}

/// The digest of the file `name` from the checksum file `file_name` with the content `text`, the strongest that it lists.
///
/// Two forms are known, with comments and a signature around them: `DIGEST  NAME` (coreutils, `SHA256SUMS`) and
/// `SHA256 (NAME) = DIGEST` (BSD, `CHECKSUM`). A checksum file that is named after the image, such as `disk.qcow2.sha256`,
/// may have the digest alone, or under another name of the image.
pub(super) fn find(text: &str, file_name: &str, name: &str) -> Result<Digest, ChecksumFileError> {
    let lines: Vec<Line<'_>> = text.lines().filter_map(parse).collect();
    let of_image: Vec<&Line<'_>> =
        lines.iter().filter(|line| line.name.is_some_and(|path| is_of(path, name))).collect();
    if let Some(found) = strongest(&of_image, name)? {
        return Ok(found);
    }
    let is_of_one_image = file_name != name && file_name.starts_with(name);
    let all: Vec<&Line<'_>> = lines.iter().filter(|_| is_of_one_image).collect();
    strongest(&all, name)?.ok_or_else(|| {
        let names = lines.iter().map(|line| line.name.unwrap_or("a digest without a name"));
        let names = names.map(str::to_owned).collect();
        ChecksumFileError::Missing { name: name.to_owned(), names }
    })
}

fn strongest(lines: &[&Line<'_>], name: &str) -> Result<Option<Digest>, ChecksumFileError> {
    for algorithm in [DigestAlgorithm::Sha512, DigestAlgorithm::Sha256, DigestAlgorithm::Sha1] {
        let digests = lines.iter().map(|line| &line.digest);
        let mut of_kind = digests.filter(|digest| digest.algorithm() == algorithm);
        let Some(first) = of_kind.next() else { continue };
        if of_kind.any(|other| other != first) {
            return Err(ChecksumFileError::Ambiguous { name: name.to_owned(), algorithm });
        }
        return Ok(Some(first.clone()));
    }
    Ok(None)
}

/// Whether a path in a checksum file is that of the image: the same name, in whatever directory.
fn is_of(path: &str, name: &str) -> bool {
    path.rsplit('/').next() == Some(name)
}

fn parse(line: &str) -> Option<Line<'_>> {
    let line = line.trim();
    bsd(line).or_else(|| coreutils(line))
}

/// `SHA256 (NAME) = DIGEST`
fn bsd(line: &str) -> Option<Line<'_>> {
    let (algorithm, rest) = line.split_once(" (")?;
    let (name, digest) = rest.rsplit_once(") = ")?;
    let digest: Digest = digest.parse().ok()?;
    let same = match digest.algorithm() {
        DigestAlgorithm::Sha1 => algorithm == "SHA1",
        DigestAlgorithm::Sha256 => algorithm == "SHA256",
        DigestAlgorithm::Sha512 => algorithm == "SHA512",
    };
    same.then_some(Line { digest, name: Some(name) })
}

/// `DIGEST  NAME`, `DIGEST *NAME` or the digest alone.
fn coreutils(line: &str) -> Option<Line<'_>> {
    let (digest, name) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let name = name.trim_start().trim_start_matches('*');
    Some(Line { digest: digest.parse().ok()?, name: (!name.is_empty()).then_some(name) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(digit: &str, length: usize) -> String {
        digit.repeat(length)
    }

    fn found(text: &str, file_name: &str) -> Result<String, String> {
        find(text, file_name, "disk.qcow2")
            .map(|digest| digest.as_hex().to_owned())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_forms_of_the_distributions_are_read() {
        let (one, two) = (hex("1", 64), hex("2", 64));
        let debian = format!("{}  other.qcow2\n{}  disk.qcow2\n", hex("3", 128), hex("4", 128));
        assert_eq!(found(&debian, "SHA512SUMS"), Ok(hex("4", 128)));
        let ubuntu = format!("{one} *other.img\n{two} *disk.qcow2\n");
        assert_eq!(found(&ubuntu, "SHA256SUMS"), Ok(two.clone()));
        let fedora = format!(
            "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n# disk.qcow2: 1 bytes\n\
             SHA256 (disk.qcow2) = {two}\nSHA256 (other.qcow2) = {one}\n-----BEGIN PGP SIGNATURE-----\n\niQIz=\n"
        );
        assert_eq!(found(&fedora, "Cloud-CHECKSUM"), Ok(two.clone()));
        let alpine = format!("{}\n", hex("5", 128));
        assert_eq!(found(&alpine, "disk.qcow2.sha512"), Ok(hex("5", 128)));
        let opensuse = format!("{two} Build16.qcow2\n");
        assert_eq!(found(&opensuse, "disk.qcow2.sha256"), Ok(two.clone()));
        let below = format!("{two}  ./images/disk.qcow2\n");
        assert_eq!(found(&below, "SHA256SUMS"), Ok(two));
    }

    #[test]
    fn the_strongest_digest_counts() {
        let text = format!(
            "{}  disk.qcow2\n{}  disk.qcow2\n{}  disk.qcow2\n",
            hex("a", 40),
            hex("c", 128),
            hex("b", 64)
        );
        assert_eq!(found(&text, "CHECKSUMS"), Ok(hex("c", 128)));
    }

    #[test]
    fn what_does_not_name_the_image_is_not_its_digest() {
        let one = hex("1", 64);
        let other = format!("{one}  other.qcow2\n");
        assert_eq!(
            found(&other, "SHA256SUMS").unwrap_err(),
            "it lists no SHA-256 or SHA-512 of disk.qcow2; it lists other.qcow2"
        );
        assert!(found(&one, "SHA256SUMS").is_err(), "a digest without a name");
        let longer = format!("{one}  disk.qcow2.old\n{one}  my-disk.qcow2\n");
        assert!(found(&longer, "SHA256SUMS").is_err());
        let md5 = format!("{}  disk.qcow2\n", hex("1", 32));
        assert!(found(&md5, "MD5SUMS").unwrap_err().contains("no digests at all"));
        let html = "<!DOCTYPE html><title>disk.qcow2</title>";
        assert!(found(html, "disk.qcow2.sha256").is_err());
        let wrong_name = format!("SHA512 (disk.qcow2) = {one}");
        assert!(found(&wrong_name, "CHECKSUM").is_err());
    }

    #[test]
    fn two_digests_of_one_image_are_none() {
        let text = format!("{}  disk.qcow2\n{}  disk.qcow2\n", hex("1", 64), hex("2", 64));
        let ambiguous = "it lists two different SHA-256 digests of disk.qcow2";
        assert_eq!(found(&text, "SHA256SUMS"), Err(ambiguous.into()));
        let names = format!("{}  a\n{}  b\n", hex("1", 64), hex("2", 64));
        assert_eq!(found(&names, "disk.qcow2.sha256"), Err(ambiguous.into()));
        let twice = format!("{0}  disk.qcow2\n{0}  disk.qcow2\n", hex("1", 64));
        assert_eq!(found(&twice, "SHA256SUMS"), Ok(hex("1", 64)));
    }
}
