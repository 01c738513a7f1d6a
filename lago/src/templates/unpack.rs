//! From the bytes that a source serves to the image: hashed, decompressed, and written with holes.

use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sha2::digest::DynDigest;

use super::codec::{Codec, MAGIC_SIZE};
use super::digest::{Digest, DigestAlgorithm};
use super::error::TemplateError;
use super::sparse::SparseFile;
use crate::utils::{FileError, PRIVATE_MODE, read_text};

/// What is read at once.
const BUFFER_SIZE: usize = 1 << 20;

/// Why there is no image.
#[derive(Debug)]
pub(super) enum UnpackError {
    /// The source ended before its end.
    Source(io::Error),
    /// What it served, all of it, cannot be unpacked.
    Damaged {
        /// The digest of all of it, which tells whether it was damaged on the way.
        served: Digest,
        /// What is wrong with it.
        reason: String,
    },
    /// The image cannot be written.
    File(FileError),
}

/// Why the content of a source is of no use.
#[derive(Debug)]
pub(super) enum ContentError {
    /// It cannot be read.
    Read(io::Error),
    /// It is not what it should be.
    Wrong(String),
    /// It cannot be written.
    File(FileError),
}

impl From<FileError> for ContentError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

/// What a source served.
#[derive(Debug)]
pub(super) struct Unpacked<T> {
    /// The digest of the bytes as they were served.
    pub(super) served: Digest,
    /// How they were compressed.
    pub(super) codec: Option<Codec>,
    /// What came of them.
    pub(super) result: T,
}

/// What to do with an image that is not compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    /// It is in its file already.
    Leave,
    /// It is written like the others.
    Write,
}

/// Writes the image that `source` serves to `target`, decompressed. The result is the digest of the image when that is not
/// what was served.
pub(super) fn image(
    source: &mut dyn Read,
    algorithm: DigestAlgorithm,
    target: &Path,
    plain: Plain,
) -> Result<Unpacked<Option<Digest>>, UnpackError> {
    unpack(source, algorithm, |content, codec| match codec {
        None if plain == Plain::Leave => {
            drain(content).map_err(ContentError::Read)?;
            Ok(None)
        }
        None => {
            write(content, target, |_| ())?;
            Ok(None)
        }
        Some(_) => {
            let mut hasher = algorithm.hasher();
            write(content, target, |bytes| hasher.update(bytes))?;
            Ok(Some(Digest::finish(algorithm, hasher)))
        }
    })
}

/// Whether a file is compressed, by its beginning.
pub(crate) fn is_compressed(path: &Path) -> Result<bool, FileError> {
    let mut beginning = Vec::with_capacity(MAGIC_SIZE);
    let read =
        File::open(path).and_then(|file| file.take(MAGIC_SIZE as u64).read_to_end(&mut beginning));
    read.map_err(FileError::io("read", path))?;
    Ok(Codec::of(&beginning).is_some())
}

/// Writes what a compressed file holds to the new file `target`, for its owner only. If there is a digest beside it, in a file
/// by its name with `.hash` instead of the ending, that is what the content has to have.
pub(crate) fn unpack_file(path: &Path, target: &Path) -> Result<(), TemplateError> {
    let unpacked = try_unpack_file(path, target);
    if unpacked.is_err()
        && let Err(error) = fs::remove_file(target)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!("cannot remove {}: {error}", target.display());
    }
    unpacked
}

fn try_unpack_file(path: &Path, target: &Path) -> Result<(), TemplateError> {
    let hash = PathBuf::from(format!("{}.hash", path.with_extension("").display()));
    let expected: Option<Digest> =
        match read_text(&hash) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            text => Some(text?.parse().map_err(|source| TemplateError::Hash {
                path: hash.display().to_string(),
                source,
            })?),
        };
    let algorithm = expected.as_ref().map_or(DigestAlgorithm::Sha256, Digest::algorithm);
    let mut source = File::open(path).map_err(FileError::io("open", path))?;
    let damaged = |reason: String| {
        FileError::io("unpack", path)(io::Error::new(io::ErrorKind::InvalidData, reason))
    };
    let unpacked =
        image(&mut source, algorithm, target, Plain::Write).map_err(|error| match error {
            UnpackError::Source(error) => FileError::io("read", path)(error),
            UnpackError::Damaged { reason, .. } => damaged(reason),
            UnpackError::File(error) => error,
        })?;
    let found = unpacked.result.unwrap_or(unpacked.served);
    if let Some(expected) = expected.filter(|expected| *expected != found) {
        return Err(
            damaged(format!("its content has the digest {found} instead of {expected}")).into()
        );
    }
    let permissions = Permissions::from_mode(PRIVATE_MODE);
    Ok(fs::set_permissions(target, permissions).map_err(FileError::io("write", target))?)
}

/// Reads all that `source` serves; `consume` gets the content, decompressed, and how it was compressed.
pub(super) fn unpack<T>(
    source: &mut dyn Read,
    algorithm: DigestAlgorithm,
    consume: impl FnOnce(&mut dyn Read, Option<Codec>) -> Result<T, ContentError>,
) -> Result<Unpacked<T>, UnpackError> {
    let mut hashing = Hashing { source, hasher: algorithm.hasher() };
    let mut beginning = Vec::with_capacity(MAGIC_SIZE);
    (&mut hashing)
        .take(MAGIC_SIZE as u64)
        .read_to_end(&mut beginning)
        .map_err(UnpackError::Source)?;
    let codec = Codec::of(&beginning);
    let whole = beginning.as_slice().chain(&mut hashing);
    let consumed = decoded(whole, codec)
        .map_err(ContentError::Read)
        .and_then(|mut content| consume(&mut *content, codec));
    if let Err(ContentError::File(error)) = consumed {
        return Err(UnpackError::File(error));
    }
    // What is behind the content belongs to what the digest is of.
    drain(&mut hashing).map_err(UnpackError::Source)?;
    let served = Digest::finish(algorithm, hashing.hasher);
    let inside = || {
        codec.map_or(String::new(), |codec| format!("is damaged inside its {codec} compression: "))
    };
    match consumed {
        Ok(result) => Ok(Unpacked { served, codec, result }),
        Err(ContentError::Wrong(reason)) => Err(UnpackError::Damaged { served, reason }),
        Err(ContentError::Read(error)) => {
            Err(UnpackError::Damaged { served, reason: format!("{}{error}", inside()) })
        }
        Err(ContentError::File(error)) => Err(UnpackError::File(error)),
    }
}

fn decoded<'a>(source: impl Read + 'a, codec: Option<Codec>) -> io::Result<Box<dyn Read + 'a>> {
    match codec {
        Some(codec) => codec.decoder(source),
        None => Ok(Box::new(source)),
    }
}

/// Writes what `content` has to the new file `target`.
pub(super) fn write(
    content: &mut dyn Read,
    target: &Path,
    mut seen: impl FnMut(&[u8]),
) -> Result<(), ContentError> {
    let mut file = SparseFile::create(target)?;
    let mut buffer = vec![0; BUFFER_SIZE];
    loop {
        let count = read(content, &mut buffer).map_err(ContentError::Read)?;
        if count == 0 {
            return Ok(file.finish()?);
        }
        seen(&buffer[..count]);
        file.write(&buffer[..count])?;
    }
}

fn drain(source: &mut dyn Read) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_SIZE];
    while read(source, &mut buffer)? > 0 {}
    Ok(())
}

/// Fills the buffer as far as there is something: decoders give small pieces, and holes need large ones.
fn read(source: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    while count < buffer.len() {
        match source.read(&mut buffer[count..]) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

/// Hashes what is read.
struct Hashing<'a> {
    source: &'a mut dyn Read,
    hasher: Box<dyn DynDigest + Send>,
}

impl Read for Hashing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;
    use crate::utils::HostCommand;

    /// An image with a large hole.
    fn content() -> Vec<u8> {
        let mut content: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        content.resize(4 << 20, 0);
        content.extend_from_slice(b"end");
        content
    }

    fn sha256(bytes: &[u8]) -> Digest {
        HostCommand::new("sha256sum").stdin(bytes).run().unwrap().stdout_text().parse().unwrap()
    }

    fn compressed(program: &str, bytes: &[u8]) -> Vec<u8> {
        HostCommand::new(program).arg("-c").stdin(bytes).run().unwrap().stdout
    }

    fn unpacked(bytes: &[u8], target: &Path) -> Result<Unpacked<Option<Digest>>, UnpackError> {
        let mut source = bytes;
        image(&mut source, DigestAlgorithm::Sha256, target, Plain::Write)
    }

    #[test]
    fn every_compression_comes_to_the_same_sparse_image() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        let content = content();
        for program in ["xz", "zstd", "gzip", "cat"] {
            let served = match program {
                "cat" => content.clone(),
                program => compressed(program, &content),
            };
            let unpacked = unpacked(&served, &path).unwrap();
            assert!(fs::read(&path).unwrap() == content, "{program}");
            assert_eq!(unpacked.served, sha256(&served), "{program}");
            assert_eq!(unpacked.result, (program != "cat").then(|| sha256(&content)), "{program}");
            assert!(fs::metadata(&path).unwrap().blocks() * 512 < 1 << 20, "{program}");
        }
    }

    #[test]
    fn a_file_is_unpacked_if_its_content_is_what_is_said_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let (packed, target) = (dir.path().join("disk.qcow2.xz"), dir.path().join("out"));
        fs::write(&packed, compressed("xz", b"a disk")).unwrap();
        assert!(is_compressed(&packed).unwrap());
        unpack_file(&packed, &target).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"a disk");
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o7777, PRIVATE_MODE);
        assert!(!is_compressed(&target).unwrap());

        let hash = dir.path().join("disk.qcow2.hash");
        fs::write(&hash, sha256(b"a disk").as_hex()).unwrap();
        unpack_file(&packed, &target).unwrap();
        fs::write(&hash, sha256(b"another disk").as_hex()).unwrap();
        let error = unpack_file(&packed, &target).unwrap_err().to_string();
        assert!(error.contains("instead of") && !target.exists(), "{error}");
    }

    #[test]
    fn streams_after_one_another_are_one_image() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        for program in ["xz", "zstd", "gzip"] {
            let both = [compressed(program, b"one "), compressed(program, b"two")].concat();
            unpacked(&both, &path).unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"one two", "{program}");
        }
    }

    #[test]
    fn what_is_damaged_is_hashed_to_its_end_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        for program in ["xz", "zstd", "gzip"] {
            let mut served = compressed(program, &content());
            let middle = served.len() / 2;
            served[middle..middle + 50].fill(0x55);
            let error = unpacked(&served, &dir.path().join("image")).unwrap_err();
            let UnpackError::Damaged { served: digest, reason } = error else {
                panic!("{error:?}")
            };
            assert_eq!(digest, sha256(&served), "{program}");
            assert!(reason.contains(program), "{reason}");
        }
    }

    #[test]
    fn what_is_cut_is_damaged() {
        let dir = tempfile::tempdir().unwrap();
        for program in ["xz", "zstd", "gzip"] {
            let served = compressed(program, &content());
            let error =
                unpacked(&served[..served.len() - 20], &dir.path().join("image")).unwrap_err();
            assert!(matches!(error, UnpackError::Damaged { .. }), "{program}: {error:?}");
        }
    }
}
