//! The serial console of a guest, as its log file has it.

mod follow;

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

pub use follow::Follower;

/// How much of the log's end is looked at.
const TAIL_BYTES: u64 = 4096;

/// How many lines an error shows.
const TAIL_LINES: usize = 15;

/// The last lines of a console's log, without escape sequences; empty when there is no log.
pub fn tail(log: &Path) -> String {
    read_end(log).map(|bytes| last_lines(&bytes)).unwrap_or_default()
}

fn read_end(log: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn last_lines(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<String> =
        text.lines().map(printable).filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

/// Without control characters and without the sequences (ECMA-48, section 5.4) that move the cursor or set colours.
fn printable(line: &str) -> String {
    let mut text = String::new();
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\x1b' {
            if characters.next() == Some('[') {
                characters.by_ref().find(|c| matches!(c, '@'..='~'));
            }
        } else if !character.is_control() {
            text.push(character);
        }
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{last_lines, tail};

    #[test]
    fn escape_sequences_and_blank_lines_are_left_out() {
        let log = b"\x1b[2J\x1b[01;1HSeaBIOS\r\n\r\n[  OK  ] Started \x1b[0;1;39msshd\x1b[0m.\r\nlogin: \x07";
        assert_eq!(last_lines(log), "SeaBIOS\n[  OK  ] Started sshd.\nlogin:");
    }

    #[test]
    fn only_the_end_of_a_long_log() {
        let log = (0..100).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n");
        let tail = last_lines(log.as_bytes());
        assert_eq!(tail.lines().count(), super::TAIL_LINES);
        assert!(tail.ends_with("line 99"));
    }

    #[test]
    fn no_log_is_no_text() {
        assert_eq!(tail("no/such/log".as_ref()), "");
    }
}
