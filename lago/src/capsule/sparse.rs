//! Files with holes: finding them, and making them again.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::SeekFrom as SeekTo;
use rustix::io::Errno;

use super::manifest::Segment;
use crate::utils::{FileError, PRIVATE_MODE};

/// A hole that is smaller travels as zeros, which cost next to nothing. It keeps lists of segments short.
const SMALLEST_HOLE: u64 = 1 << 20;

/// The granularity at which zeros become holes again.
const BLOCK: usize = 4096;

/// Where a file of this size has data. None when that is everywhere.
pub(super) fn segments(file: &File, size: u64) -> io::Result<Option<Vec<Segment>>> {
    let mut found: Vec<Segment> = Vec::new();
    let mut end = 0;
    while let Some(begin) = seek(file, SeekTo::Data(end))?.filter(|begin| *begin < size) {
        end = seek(file, SeekTo::Hole(begin))?.unwrap_or(size).min(size);
        match found.last_mut() {
            Some(Segment(offset, length)) if begin - (*offset + *length) < SMALLEST_HOLE => {
                *length = end - *offset;
            }
            None if begin < SMALLEST_HOLE => found.push(Segment(0, end)),
            _ => found.push(Segment(begin, end - begin)),
        }
    }
    if let Some(Segment(offset, length)) = found.last_mut()
        && size - (*offset + *length) < SMALLEST_HOLE
    {
        *length = size - *offset;
    }
    let is_whole = size == 0 || found == [Segment(0, size)];
    Ok((!is_whole).then_some(found))
}

/// Where the file's next data or hole begins; none when there are no more data.
fn seek(file: &File, to: SeekTo) -> io::Result<Option<u64>> {
    match rustix::fs::seek(file, to) {
        Ok(position) => Ok(Some(position)),
        Err(Errno::NXIO) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The data of a file, one segment after the other.
pub(super) struct Data {
    file: File,
    segments: std::vec::IntoIter<Segment>,
    left: u64,
}

impl Data {
    pub(super) fn new(file: File, segments: Vec<Segment>) -> Self {
        Self { file, segments: segments.into_iter(), left: 0 }
    }
}

impl Read for Data {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.left == 0 {
            let Some(Segment(offset, length)) = self.segments.next() else { return Ok(0) };
            self.file.seek(SeekFrom::Start(offset))?;
            self.left = length;
        }
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.file.read(&mut buffer[..wanted])?;
        self.left -= count as u64;
        Ok(count)
    }
}

/// A new file that takes its data, one segment after the other. What is zero takes no room.
pub(super) struct SparseFile {
    file: File,
    path: PathBuf,
    segments: std::vec::IntoIter<Segment>,
    at: u64,
    left: u64,
}

impl SparseFile {
    /// Makes the file, which must not be there, for its owner only.
    pub(super) fn create(
        path: &Path,
        size: u64,
        segments: Vec<Segment>,
    ) -> Result<Self, FileError> {
        let make = || {
            let mut options = OpenOptions::new();
            let file = options.write(true).create_new(true).mode(PRIVATE_MODE).open(path)?;
            file.set_len(size)?;
            Ok(file)
        };
        let file = make().map_err(FileError::io("create", path))?;
        let segments = segments.into_iter();
        Ok(Self { file, path: path.to_owned(), segments, at: 0, left: 0 })
    }

    /// Takes the next bytes.
    pub(super) fn write(&mut self, mut bytes: &[u8]) -> Result<(), FileError> {
        while !bytes.is_empty() {
            if self.left == 0 {
                let Some(Segment(offset, length)) = self.segments.next() else {
                    let error = io::Error::other("there are more bytes than room for them");
                    return Err(FileError::io("write", &self.path)(error));
                };
                (self.at, self.left) = (offset, length);
                continue;
            }
            let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
            let (now, later) = bytes.split_at(count);
            self.put(now).map_err(FileError::io("write", &self.path))?;
            self.at += count as u64;
            self.left -= count as u64;
            bytes = later;
        }
        Ok(())
    }

    /// Writes the blocks that are not zero, those next to each other at once.
    fn put(&self, bytes: &[u8]) -> io::Result<()> {
        let blocks: Vec<(usize, bool)> =
            bytes.chunks(BLOCK).map(|block| (block.len(), is_zero(block))).collect();
        let mut begin = 0;
        for run in blocks.chunk_by(|one, next| one.1 == next.1) {
            let end = begin + run.iter().map(|(length, _)| length).sum::<usize>();
            if !run[0].1 {
                self.file.write_all_at(&bytes[begin..end], self.at + begin as u64)?;
            }
            begin = end;
        }
        Ok(())
    }
}

/// By a comparison of memory, which is fast also in a program that was built without optimisation.
fn is_zero(block: &[u8]) -> bool {
    block == &[0; BLOCK][..block.len()]
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::os::unix::fs::MetadataExt as _;

    use proptest::prelude::*;

    use super::*;

    fn written(path: &Path, size: u64, parts: &[(u64, Vec<u8>)]) -> File {
        let file = File::create(path).unwrap();
        for (offset, bytes) in parts {
            file.write_all_at(bytes, *offset).unwrap();
        }
        file.set_len(size).unwrap();
        File::open(path).unwrap()
    }

    fn copied(from: &File, size: u64, to: &Path) -> Vec<Segment> {
        let segments = segments(from, size).unwrap().unwrap_or_else(|| vec![Segment(0, size)]);
        let mut data = Data::new(from.try_clone().unwrap(), segments.clone());
        let mut copy = SparseFile::create(to, size, segments.clone()).unwrap();
        let mut buffer = vec![0; 10_000];
        loop {
            match data.read(&mut buffer).unwrap() {
                0 => return segments,
                count => copy.write(&buffer[..count]).unwrap(),
            }
        }
    }

    #[test]
    fn holes_do_not_travel_and_are_there_again() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        let parts = [(8 << 20, vec![1; 5000]), (1 << 30, vec![2; 70_000])];
        let size = (2 << 30) + 7;
        let file = written(&from, size, &parts);
        let segments = copied(&file, size, &to);
        let travelled: u64 = segments.iter().map(|segment| segment.1).sum();
        assert!(travelled < 1 << 20, "{segments:?}");
        let copy = fs::metadata(&to).unwrap();
        assert_eq!(copy.len(), size);
        assert!(copy.blocks() * 512 < 1 << 20, "{} blocks", copy.blocks());
        assert_eq!(copy.mode() & 0o777, 0o600);
        let mut bytes = vec![0; 70_000];
        File::open(&to).unwrap().read_exact_at(&mut bytes, 1 << 30).unwrap();
        assert!(bytes == vec![2; 70_000]);
    }

    #[test]
    fn zeros_that_travelled_take_no_room() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("zeros");
        let size = 4 << 20;
        let mut file = SparseFile::create(&path, size, vec![Segment(0, size)]).unwrap();
        file.write(&vec![0; 4 << 20]).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().blocks(), 0);
        assert!(file.write(b"more").is_err());
    }

    #[test]
    fn a_file_without_holes_is_one_piece() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        File::create(&path).unwrap().write_all(b"a line\n").unwrap();
        assert_eq!(segments(&File::open(&path).unwrap(), 7).unwrap(), None);
        let empty = File::create(dir.path().join("empty")).unwrap();
        assert_eq!(segments(&empty, 0).unwrap(), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn any_file_is_the_same_afterwards(
            parts in prop::collection::vec((0..6_u64 << 20, 1..200_000_usize, any::<u8>()), 0..6),
            end in 0..3_u64 << 20,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let (from, to) = (dir.path().join("from"), dir.path().join("to"));
            let parts: Vec<_> =
                parts.into_iter().map(|(offset, length, byte)| (offset, vec![byte; length])).collect();
            let used = parts.iter().map(|(offset, bytes)| offset + bytes.len() as u64).max();
            let size = used.unwrap_or(0) + end;
            copied(&written(&from, size, &parts), size, &to);
            prop_assert!(fs::read(&from).unwrap() == fs::read(&to).unwrap());
        }
    }
}
