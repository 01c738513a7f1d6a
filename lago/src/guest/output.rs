//! What a command in a guest left behind.

use std::borrow::Cow;
use std::fmt;

/// How a command in a guest ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuestStatus {
    /// It exited with this code.
    Code(i32),
    /// A signal ended it; its name without `SIG`, such as `SEGV`.
    Signal(String),
}

impl GuestStatus {
    /// Whether the command exited with 0.
    pub fn success(&self) -> bool {
        *self == Self::Code(0)
    }

    /// The exit code, unless a signal ended the command.
    pub fn code(&self) -> Option<i32> {
        match self {
            Self::Code(code) => Some(*code),
            Self::Signal(_) => None,
        }
    }
}

impl fmt::Display for GuestStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(name) => write!(f, "signal {name}"),
        }
    }
}

/// A command's status and its two streams of output, each complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// How the command ended.
    pub status: GuestStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Output {
    /// Standard output as text; bytes that are no UTF-8 are replaced.
    pub fn stdout(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stdout)
    }

    /// Standard error as text; bytes that are no UTF-8 are replaced.
    pub fn stderr(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.stderr)
    }

    /// Standard output as it came.
    pub fn stdout_bytes(&self) -> &[u8] {
        &self.stdout
    }

    /// Standard error as it came.
    pub fn stderr_bytes(&self) -> &[u8] {
        &self.stderr
    }

    /// Whether the command exited with 0.
    pub fn success(&self) -> bool {
        self.status.success()
    }

    /// The ends of both streams under headings, for a message; empty if there is nothing in them.
    pub(crate) fn said(&self) -> String {
        Tail::of(&self.stderr).section("stderr") + &Tail::of(&self.stdout).section("stdout")
    }
}

/// How many bytes of a stream's end an error shows.
const TAIL_BYTES: usize = 2_000;

/// The end of a stream, for a message.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    bytes: Vec<u8>,
    cut: bool,
}

impl Tail {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut tail = Self::default();
        tail.push(bytes);
        tail
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(&bytes[bytes.len().saturating_sub(TAIL_BYTES + 1)..]);
        if self.bytes.len() > TAIL_BYTES {
            self.cut = true;
            self.bytes.drain(..self.bytes.len() - TAIL_BYTES);
        }
    }

    /// The text under a heading, each line indented; empty if there is none.
    pub(crate) fn section(&self, heading: &str) -> String {
        section(heading, &String::from_utf8_lossy(&self.bytes), self.cut)
    }
}

/// Text from a guest under a heading of its own, made harmless for a terminal.
pub(crate) fn section(heading: &str, text: &str, cut: bool) -> String {
    if text.trim().is_empty() {
        return String::new();
    }
    let mut shown = format!("\n  {heading}:{}", if cut { " (its end)" } else { "" });
    for line in text.trim_end().lines() {
        shown.push_str("\n    ");
        shown.extend(line.chars().map(|char| match char {
            '\t' => ' ',
            control if control.is_control() => char::REPLACEMENT_CHARACTER,
            other => other,
        }));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{GuestStatus, TAIL_BYTES, Tail};

    #[test]
    fn success_is_code_zero_alone() {
        assert!(GuestStatus::Code(0).success());
        assert!(!GuestStatus::Code(3).success());
        assert!(!GuestStatus::Signal("SEGV".to_owned()).success());
    }

    #[test]
    fn a_tail_keeps_the_end() {
        let mut tail = Tail::default();
        for index in 0..1000 {
            tail.push(format!("line {index}\n").as_bytes());
        }
        let shown = tail.section("stdout");
        assert!(shown.starts_with("\n  stdout: (its end)\n    "), "{shown}");
        assert!(shown.ends_with("\n    line 999"), "{shown}");
        assert!(!shown.contains("line 1\n"));
        assert_eq!(tail.bytes.len(), TAIL_BYTES);
    }

    #[test]
    fn an_exact_fit_is_not_called_cut() {
        assert!(!Tail::of(&[b'x'; TAIL_BYTES]).section("stdout").contains("its end"));
        assert!(Tail::of(&[b'x'; TAIL_BYTES + 1]).section("stdout").contains("its end"));
    }

    #[test]
    fn terminal_escapes_do_not_reach_the_terminal() {
        assert_eq!(
            Tail::of(b"\x1b[31mred\x07").section("stderr"),
            "\n  stderr:\n    \u{fffd}[31mred\u{fffd}"
        );
        assert_eq!(Tail::of(b" \n").section("stderr"), "");
    }
}
