//! A console's log from some moment on, line by line, while the guest goes on writing.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::printable;

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

/// A line that is longer is handed out in pieces of so many bytes. The kernel's have at most a thousand.
const LONGEST_LINE: usize = 64 * 1024;

/// What a guest writes to its console from some moment on.
///
/// It is about the file under this path: one that QEMU appends to goes on after a revert, and one that was emptied is read
/// from its start.
#[derive(Debug)]
pub struct Follower {
    log: PathBuf,
    /// Up to where the file has been read.
    position: u64,
    /// What has been read and not been handed out.
    pending: Vec<u8>,
    /// How much of it has no line's end in it.
    searched: usize,
}

impl Follower {
    /// From now on: what is in the log already is left out.
    pub fn from_now(log: impl Into<PathBuf>) -> Self {
        let mut follower = Self { log: log.into(), position: 0, pending: Vec::new(), searched: 0 };
        follower.skip();
        follower
    }

    /// The log.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Where in the log the next line begins, in bytes from its start.
    pub fn position(&self) -> u64 {
        self.position - self.pending.len() as u64
    }

    /// Leaves out what is in the log now, an unfinished line included.
    pub fn skip(&mut self) {
        self.pending.clear();
        self.searched = 0;
        self.position = self.length().unwrap_or(0);
    }

    /// The next whole line that has come, without escape sequences and control characters; none when there is no more
    /// for now. A console without a log says nothing.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn next_line(&mut self) -> io::Result<Option<String>> {
        loop {
            let end = self.pending[self.searched..].iter().position(|&byte| byte == b'\n');
            if let Some(end) = end {
                return Ok(Some(self.take(self.searched + end + 1)));
            }
            self.searched = self.pending.len();
            if self.searched >= LONGEST_LINE {
                return Ok(Some(self.take(LONGEST_LINE)));
            }
            if !self.read_more()? {
                return Ok(None);
            }
        }
    }

    /// The beginning of a line that has not ended yet. It stays where it is: the whole line follows.
    pub fn unfinished(&self) -> Option<String> {
        (!self.pending.is_empty()).then(|| text(&self.pending))
    }

    fn take(&mut self, length: usize) -> String {
        self.searched = 0;
        let line = text(&self.pending[..length]);
        self.pending.drain(..length);
        line
    }

    /// Whether there was more.
    fn read_more(&mut self) -> io::Result<bool> {
        let length = self.length()?;
        if length < self.position {
            self.position = 0;
            self.pending.clear();
            self.searched = 0;
        }
        if length == self.position {
            return Ok(false);
        }
        let mut file = File::open(&self.log)?;
        file.seek(SeekFrom::Start(self.position))?;
        let read = file.take(CHUNK as u64).read_to_end(&mut self.pending)?;
        self.position += read as u64;
        Ok(read > 0)
    }

    fn length(&self) -> io::Result<u64> {
        match self.log.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            metadata => Ok(metadata?.len()),
        }
    }
}

fn text(line: &[u8]) -> String {
    printable(&String::from_utf8_lossy(line))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn log() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("server.log");
        (directory, log)
    }

    fn append(log: &Path, bytes: impl AsRef<[u8]>) {
        let file = OpenOptions::new().append(true).create(true).open(log);
        file.unwrap().write_all(bytes.as_ref()).unwrap();
    }

    fn lines(follower: &mut Follower) -> Vec<String> {
        std::iter::from_fn(|| follower.next_line().unwrap()).collect()
    }

    #[test]
    fn only_what_comes_later_is_handed_out() {
        let (_directory, log) = log();
        append(&log, "before\nand a ha");
        let mut follower = Follower::from_now(&log);
        assert_eq!(follower.next_line().unwrap(), None);
        append(&log, "lf line\r\n\x1b[1mnext\x1b[0m\r\nlogin: ");
        assert_eq!(lines(&mut follower), ["lf line", "next"]);
        assert_eq!(follower.unfinished().as_deref(), Some("login:"));
        let prompt = fs::metadata(&log).unwrap().len() - "login: ".len() as u64;
        assert_eq!(follower.position(), prompt);
        append(&log, "[   12.3] Kernel panic\n");
        assert_eq!(lines(&mut follower), ["login: [   12.3] Kernel panic"]);
        assert_eq!(follower.unfinished(), None);
    }

    #[test]
    fn what_is_skipped_is_not_handed_out() {
        let (_directory, log) = log();
        let mut follower = Follower::from_now(&log);
        append(&log, "old\nha");
        follower.next_line().unwrap();
        append(&log, "lf\nolder\n");
        follower.skip();
        append(&log, "new\n");
        assert_eq!(lines(&mut follower), ["new"]);
    }

    #[test]
    fn a_log_that_is_not_there_yet_says_nothing_and_an_emptied_one_begins_anew() {
        let (_directory, log) = log();
        let mut follower = Follower::from_now(&log);
        assert_eq!(follower.next_line().unwrap(), None);
        append(&log, "first\nsecond\n");
        assert_eq!(lines(&mut follower), ["first", "second"]);
        fs::write(&log, "anew\n").unwrap();
        assert_eq!(lines(&mut follower), ["anew"]);
    }

    #[test]
    fn a_line_without_an_end_comes_in_pieces() {
        let (_directory, log) = log();
        let mut follower = Follower::from_now(&log);
        append(&log, "x".repeat(2 * LONGEST_LINE + 5));
        let lengths: Vec<_> = lines(&mut follower).iter().map(String::len).collect();
        assert_eq!(lengths, [LONGEST_LINE, LONGEST_LINE]);
        assert_eq!(follower.unfinished().unwrap().len(), 5);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// Wherever writes and reads cut the text, and whatever bytes it has, the lines are the same.
        #[test]
        fn lines_do_not_depend_on_where_they_are_cut(
            text in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'a'), any::<u8>()], 0..200),
            cuts in prop::collection::vec(0..200_usize, 0..6),
        ) {
            let (_directory, log) = log();
            let mut follower = Follower::from_now(&log);
            let mut cuts: Vec<_> = cuts.into_iter().filter(|&cut| cut <= text.len()).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let mut found = Vec::new();
            for pair in cuts.windows(2) {
                append(&log, &text[pair[0]..pair[1]]);
                found.extend(lines(&mut follower));
            }
            let whole = String::from_utf8_lossy(&text).into_owned();
            let mut expected: Vec<_> = text.split(|&byte| byte == b'\n').map(super::text).collect();
            let rest = expected.pop().unwrap_or_default();
            prop_assert_eq!(&found, &expected, "{}", whole);
            prop_assert_eq!(follower.unfinished().unwrap_or_default(), rest);
        }
    }
}
