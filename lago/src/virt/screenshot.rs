//! What a VM's display shows.

use std::time::Duration;

use virt::domain::Domain;
use virt::error::Error;
use virt::stream::Stream;

use super::{VirtError, Vm};

/// How long a screenshot may take. QEMU draws it at once; a machine whose processors are all busy needs seconds.
pub const SCREENSHOT_LIMIT: Duration = Duration::from_secs(10);

/// What begins a PNG image (<https://www.w3.org/TR/png/>, section 5.2).
const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// How much is taken from libvirt at once.
const CHUNK: usize = 256 * 1024;

impl Vm {
    /// What the VM's first display shows now, as a PNG image. A paused VM has one too.
    ///
    /// # Errors
    /// When the VM is down, when libvirt does not answer within [`SCREENSHOT_LIMIT`], or for a VM without a display: one
    /// that was started by an older version, or put back to a snapshot of it.
    pub fn screenshot(&self) -> Result<Vec<u8>, VirtError> {
        self.screenshot_within(SCREENSHOT_LIMIT)
    }

    /// As [`Self::screenshot`], with another limit.
    pub(crate) fn screenshot_within(&self, limit: Duration) -> Result<Vec<u8>, VirtError> {
        let image = self.ask(limit, shoot)?;
        let image = image.map_err(|error| self.error("take a screenshot of", &error))?;
        png(image).map_err(|message| VirtError::Vm {
            vm: self.name().to_owned(),
            action: "take a screenshot of",
            message,
            hint: String::new(),
        })
    }
}

fn shoot(domain: &Domain) -> Result<Vec<u8>, Error> {
    let stream = Stream::new(&domain.connect()?, 0)?;
    domain.screenshot(&stream, 0, 0)?;
    let mut image = Vec::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        let received = stream.recv(&mut chunk)?;
        match usize::try_from(received) {
            Ok(length @ 1..) => image.extend_from_slice(&chunk[..length]),
            _ => break,
        }
    }
    stream.finish()?;
    Ok(image)
}

/// The image as PNG. QEMU's own form is a portable pixmap.
fn png(image: Vec<u8>) -> Result<Vec<u8>, String> {
    if image.starts_with(PNG_SIGNATURE) {
        return Ok(image);
    }
    let pixmap = Pixmap::parse(&image).ok_or("QEMU sent an image that is no portable pixmap")?;
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, pixmap.width, pixmap.height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(pixmap.samples)?;
        writer.finish()
    });
    written.map_err(|error| format!("the image cannot be written as PNG: {error}"))?;
    Ok(file)
}

/// A binary portable pixmap with a byte a sample: `P6`, width, height and 255, apart by white space, then three samples
/// a pixel (<https://netpbm.sourceforge.net/doc/ppm.html>).
struct Pixmap<'a> {
    width: u32,
    height: u32,
    samples: &'a [u8],
}

impl<'a> Pixmap<'a> {
    fn parse(image: &'a [u8]) -> Option<Self> {
        let mut rest = image.strip_prefix(b"P6")?;
        let width = number(&mut rest)?;
        let height = number(&mut rest)?;
        let is_bytes = number(&mut rest)? == 255;
        let samples = rest.get(1..)?;
        let length = usize::try_from(width.checked_mul(height)?.checked_mul(3)?).ok()?;
        (is_bytes && samples.len() == length).then_some(Self { width, height, samples })
    }
}

/// Takes a number and the white space before it.
fn number(rest: &mut &[u8]) -> Option<u32> {
    let text = rest.trim_ascii_start();
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, after) = text.split_at(length);
    *rest = after;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pixmap_becomes_png_with_the_same_pixels() {
        let pixels = [255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 8, 7, 1, 2, 3, 10, 32, 13];
        let mut image = b"P6\n3 2\n255\n".to_vec();
        image.extend_from_slice(&pixels);
        let encoded = png(image).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(&encoded)).read_info().unwrap();
        let mut decoded = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut decoded).unwrap();
        assert_eq!((info.width, info.height, info.color_type), (3, 2, png::ColorType::Rgb));
        assert_eq!(decoded, pixels);
        assert_eq!(png(encoded.clone()).unwrap(), encoded, "PNG stays as it is");
    }

    #[test]
    fn what_is_no_pixmap_is_said() {
        for image in [
            &b"P6 2 2 255\n123456789ab"[..],
            b"P6 2 2 255\n123456789abcd",
            b"P6 2 2 65535\n",
            b"P6 4000000000 4000000000 255\n",
            b"P5 1 1 255\nabc",
            b"P6 x",
            b"P6",
            b"",
        ] {
            let error = png(image.to_vec()).unwrap_err();
            assert!(error.contains("no portable pixmap"), "{error}");
        }
    }
}
