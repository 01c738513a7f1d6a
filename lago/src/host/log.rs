//! The end of a host's log, for an error's text.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// How much of the log an error quotes.
const LINES: usize = 12;

/// How many bytes hold these lines, as a rule.
const BYTES: u64 = 4096;

/// The last lines, indented; `None` when there are none.
pub(super) fn last_lines(path: &Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(BYTES))).ok()?;
    let mut bytes = Vec::new();
    file.take(BYTES).read_to_end(&mut bytes).ok()?;
    tail(&String::from_utf8_lossy(&bytes))
}

fn tail(text: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(LINES)..];
    (!last.is_empty())
        .then(|| last.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_indented() {
        let lines: Vec<_> = (1..=20).map(|n| format!("line {n}")).collect();
        let text = lines.join("\n\n");
        let tail = tail(&text).unwrap();
        assert_eq!(tail.lines().count(), LINES);
        assert!(tail.starts_with("  line 9\n"), "{tail}");
        assert!(tail.ends_with("  line 20"), "{tail}");
    }

    #[test]
    fn an_empty_log() {
        assert_eq!(tail("\n \n"), None);
        assert_eq!(last_lines(Path::new("/nonexistent/host.log")), None);
    }
}
