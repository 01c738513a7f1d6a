//! Writing a capsule, member by member.

use std::io::{self, BufReader, Read, Write};
use std::num::NonZero;
use std::thread;

use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

use super::sums::Sums;
use super::{BUFFER, WINDOW_LOG};
use crate::capsule::manifest::SUMS;
use crate::utils::PRIVATE_MODE;

/// Somebody waits for it. What is alike in several guests counts for more than the level.
const LEVEL: i32 = 1;

/// The smallest window, as a power of two.
const SMALLEST_WINDOW_LOG: u32 = 20;

/// Writes the members of a capsule.
pub(in crate::capsule) struct Writer<W: Write> {
    tar: Builder<zstd::Encoder<'static, W>>,
    sums: Sums,
    time: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a capsule of about `size` bytes. Its members are as old as `time`, in seconds since 1970.
    pub(in crate::capsule) fn new(target: W, size: u64, time: u64) -> io::Result<Self> {
        let mut encoder = zstd::Encoder::new(target, LEVEL)?;
        encoder.include_checksum(true)?;
        encoder.long_distance_matching(true)?;
        encoder.window_log(window_log(size))?;
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        encoder.multithread(u32::try_from(threads).unwrap_or(u32::MAX))?;
        Ok(Self { tar: Builder::new(encoder), sums: Sums::default(), time })
    }

    /// Adds a member of exactly `length` bytes.
    pub(in crate::capsule) fn add(
        &mut self,
        path: &str,
        length: u64,
        data: impl Read,
    ) -> io::Result<()> {
        let mut data = Hashing {
            data: BufReader::with_capacity(BUFFER, data),
            sum: Sha256::new(),
            left: length,
        };
        self.tar.append_data(&mut self.header(length), path, &mut data)?;
        self.sums.add(path, data.sum);
        Ok(())
    }

    /// Adds the sums and ends the archive.
    pub(in crate::capsule) fn finish(mut self) -> io::Result<W> {
        let sums = self.sums.as_str();
        let length = sums.len() as u64;
        self.tar.append_data(&mut self.header(length), SUMS, sums.as_bytes())?;
        self.tar.into_inner()?.finish()
    }

    fn header(&self, length: u64) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_size(length);
        header.set_mode(PRIVATE_MODE);
        header.set_mtime(self.time);
        header
    }
}

/// The window that reaches back over all of so many bytes, or the largest.
fn window_log(size: u64) -> u32 {
    (size.max(1).ilog2() + 1).clamp(SMALLEST_WINDOW_LOG, WINDOW_LOG)
}

/// Exactly so many bytes, with their hash.
struct Hashing<R> {
    data: R,
    sum: Sha256,
    left: u64,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if wanted == 0 {
            return Ok(0);
        }
        let count = self.data.read(&mut buffer[..wanted])?;
        if count == 0 {
            let message = format!("it ended {} bytes too early", self.left);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
        }
        self.left -= count as u64;
        self.sum.update(&buffer[..count]);
        Ok(count)
    }
}
