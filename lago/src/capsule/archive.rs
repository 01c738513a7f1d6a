//! The file format of capsules: a tar archive in zstd, of regular files alone.

mod reader;
mod sums;
mod writer;

pub(super) use reader::{Members, read};
pub(super) use writer::Writer;

/// How far back what was there already is looked for, as a power of two: further than the memory of an idle guest takes.
/// Guests that have booted the same image have half of their memory in common. Whoever reads it needs as much memory.
const WINDOW_LOG: u32 = 28;

/// How much is read or written at once.
const BUFFER: usize = 1 << 20;

#[cfg(test)]
mod tests;
