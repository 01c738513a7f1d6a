//! The file that an image is downloaded to.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sha2::digest::DynDigest;

use super::digest::{Digest, DigestAlgorithm};
use crate::utils::{FileError, PRIVATE_MODE};

/// The granularity at which zeros become holes.
const BLOCK: usize = 64 * 1024;

/// A file that takes an image, computing its digest on the way. Zeros are not written, so that a sparse image stays one.
pub struct ImageSink {
    file: File,
    path: PathBuf,
    length: u64,
    algorithm: DigestAlgorithm,
    hasher: Box<dyn DynDigest + Send>,
}

impl ImageSink {
    pub(super) fn create(path: &Path, algorithm: DigestAlgorithm) -> Result<Self, FileError> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(PRIVATE_MODE);
        let file = options.open(path).map_err(FileError::io("create", path))?;
        let hasher = algorithm.hasher();
        Ok(Self { file, path: path.to_owned(), length: 0, algorithm, hasher })
    }

    /// Takes the next bytes of the image.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.hasher.update(bytes);
        self.length += bytes.len() as u64;
        bytes
            .chunks(BLOCK)
            .try_for_each(|block| self.put(block))
            .map_err(FileError::io("write", &self.path))
    }

    fn put(&mut self, block: &[u8]) -> io::Result<()> {
        if block.iter().all(|byte| *byte == 0) {
            let skip = i64::try_from(block.len()).map_err(io::Error::other)?;
            return self.file.seek(SeekFrom::Current(skip)).map(drop);
        }
        self.file.write_all(block)
    }

    /// Makes sure that everything is on the disk.
    pub(super) fn finish(self) -> Result<Digest, FileError> {
        let synced = self.file.set_len(self.length).and_then(|()| self.file.sync_all());
        synced.map_err(FileError::io("write", &self.path))?;
        Ok(Digest::finish(self.algorithm, self.hasher))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn the_copy_is_equal_and_its_zeros_take_no_room() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        let mut content = vec![0; 8 << 20];
        content[5 << 20..(5 << 20) + 1000].fill(7);
        let mut sink = ImageSink::create(&path, DigestAlgorithm::Sha256).unwrap();
        content.chunks(1 << 20).try_for_each(|part| sink.write(part)).unwrap();
        let digest = sink.finish().unwrap();

        assert!(fs::read(&path).unwrap() == content);
        let on_disk = fs::metadata(&path).unwrap().blocks() * 512;
        assert!(on_disk <= 4 * BLOCK as u64, "{on_disk} bytes");
        let sum =
            crate::utils::HostCommand::new("sha256sum").arg(&path).run().unwrap().stdout_text();
        assert_eq!(Ok(digest), sum.parse());
    }
}
