//! A part of a scenario's output that is small enough for a report.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::Path;

/// Reads a file as text, at most `limit` bytes of it: its first and its last half with a line between that says how
/// much is missing and where it is. Bytes that are no UTF-8 become U+FFFD.
pub(crate) fn excerpt(path: &Path, limit: u64) -> io::Result<String> {
    excerpt_of(path, 0..u64::MAX, limit)
}

/// As [`excerpt`], of some of the file's bytes, as far as it has them.
pub(crate) fn excerpt_of(path: &Path, bytes: Range<u64>, limit: u64) -> io::Result<String> {
    let mut file = File::open(path)?;
    let end = bytes.end.min(file.metadata()?.len());
    let size = end.saturating_sub(bytes.start);
    file.seek(SeekFrom::Start(bytes.start))?;
    if size <= limit {
        return Ok(lossy(&part(&mut file, size)?));
    }
    let half = limit / 2;
    let head = lossy(&part(&mut file, half)?);
    file.seek(SeekFrom::Start(end - half))?;
    let tail = lossy(&part(&mut file, half)?);
    let cut = size - 2 * half;
    Ok(format!("{head}\n[... {cut} bytes cut; the whole output is {}]\n{tail}", path.display()))
}

fn part(file: &mut File, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_output_is_whole_and_large_output_has_both_ends() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        std::fs::write(&path, b"0123456789\xff").unwrap();
        assert_eq!(excerpt(&path, 11).unwrap(), "0123456789\u{fffd}");
        assert_eq!(
            excerpt(&path, 4).unwrap(),
            format!("01\n[... 7 bytes cut; the whole output is {}]\n9\u{fffd}", path.display())
        );
    }
    #[test]
    fn a_part_is_cut_at_its_own_ends() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        std::fs::write(&path, b"0123456789").unwrap();
        let of = |bytes, limit| excerpt_of(&path, bytes, limit).unwrap();
        assert_eq!(of(2..5, 10), "234");
        assert_eq!(of(8..20, 10), "89");
        assert_eq!(of(20..30, 10), "");
        let cut = of(1..8, 4);
        assert!(cut.starts_with("12\n[... 3 bytes cut") && cut.ends_with("\n67"), "{cut}");
    }
}
