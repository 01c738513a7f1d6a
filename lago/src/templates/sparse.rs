//! Files with holes where there are zeros, so that a sparse image stays one.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::utils::{FileError, PRIVATE_MODE};

/// The granularity at which zeros become holes.
const BLOCK: usize = 64 * 1024;

/// A new file that is written from its beginning to its end. Zeros are not written.
#[derive(Debug)]
pub(super) struct SparseFile {
    file: File,
    path: PathBuf,
    length: u64,
}

impl SparseFile {
    pub(super) fn create(path: &Path) -> Result<Self, FileError> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(PRIVATE_MODE);
        let file = options.open(path).map_err(FileError::io("create", path))?;
        Ok(Self { file, path: path.to_owned(), length: 0 })
    }

    /// Takes the next bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.length += bytes.len() as u64;
        bytes
            .chunks(BLOCK)
            .try_for_each(|block| self.put(block))
            .map_err(FileError::io("write", &self.path))
    }

    fn put(&mut self, block: &[u8]) -> io::Result<()> {
        if is_zero(block) {
            let skip = i64::try_from(block.len()).map_err(io::Error::other)?;
            return self.file.seek(SeekFrom::Current(skip)).map(drop);
        }
        self.file.write_all(block)
    }

    /// Makes sure that everything is on the disk.
    pub(super) fn finish(self) -> Result<(), FileError> {
        let synced = self.file.set_len(self.length).and_then(|()| self.file.sync_all());
        synced.map_err(FileError::io("write", &self.path))
    }
}

/// Writes at a position of a file in which nothing else was written there. Zeros are not.
pub(super) fn write_at(file: &File, bytes: &[u8], position: u64) -> io::Result<()> {
    let mut position = position;
    for block in bytes.chunks(BLOCK) {
        if !is_zero(block) {
            file.write_all_at(block, position)?;
        }
        position += block.len() as u64;
    }
    Ok(())
}

fn is_zero(block: &[u8]) -> bool {
    block.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn content() -> Vec<u8> {
        let mut content = vec![0; 8 << 20];
        content[5 << 20..(5 << 20) + 1000].fill(7);
        content
    }

    fn assert_sparse_and_equal(path: &Path) {
        assert!(fs::read(path).unwrap() == content());
        let on_disk = fs::metadata(path).unwrap().blocks() * 512;
        assert!(on_disk <= 4 * BLOCK as u64, "{on_disk} bytes");
    }

    #[test]
    fn the_copy_is_equal_and_its_zeros_take_no_room() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        let mut file = SparseFile::create(&path).unwrap();
        content().chunks(1 << 20).try_for_each(|part| file.write(part)).unwrap();
        file.finish().unwrap();
        assert_sparse_and_equal(&path);
    }

    #[test]
    fn so_do_those_of_a_file_that_is_written_out_of_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        let content = content();
        let file = File::create(&path).unwrap();
        file.set_len(content.len() as u64).unwrap();
        for start in [4 << 20, 0] {
            write_at(&file, &content[start..start + (4 << 20)], start as u64).unwrap();
        }
        assert_sparse_and_equal(&path);
    }
}
