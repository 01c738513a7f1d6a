//! Compressed images.

use std::fmt;
use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use liblzma::read::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream};

/// How much memory an xz file may demand. `xz -9` takes 65 MiB; a file that wants more is no usual image.
const XZ_MEMORY: u64 = 512 << 20;

/// How an image is compressed. It is recognised by its first bytes, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Xz,
    Zstd,
    Gzip,
}

/// The most bytes that [`Codec::of`] looks at.
pub(super) const MAGIC_SIZE: usize = 6;

impl Codec {
    /// How a file that begins like this is compressed, if it is.
    pub(super) fn of(beginning: &[u8]) -> Option<Self> {
        let magics: [(&[u8], Self); 3] = [
            (b"\xfd7zXZ\0", Self::Xz),
            (b"\x28\xb5\x2f\xfd", Self::Zstd),
            (b"\x1f\x8b", Self::Gzip),
        ];
        magics.into_iter().find(|(magic, _)| beginning.starts_with(magic)).map(|(_, codec)| codec)
    }

    /// What `source` holds, decompressed as it is read. Several compressed streams after one another are one.
    pub(super) fn decoder<'a>(self, source: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Self::Xz => {
                let stream = Stream::new_stream_decoder(XZ_MEMORY, CONCATENATED)?;
                Box::new(XzDecoder::new_stream(source, stream))
            }
            Self::Zstd => Box::new(zstd::stream::read::Decoder::new(source)?),
            Self::Gzip => Box::new(MultiGzDecoder::new(source)),
        })
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Xz => "xz",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        })
    }
}
