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
    /// What has been read.
    pending: Vec<u8>,
    /// How much of it has been handed out.
    taken: usize,
    /// Up to where in it there is no line's end behind that.
    searched: usize,
}

impl Follower {
    /// From now on: what is in the log already is left out.
    pub fn from_now(log: impl Into<PathBuf>) -> Self {
        let (pending, taken, searched) = (Vec::new(), 0, 0);
        let mut follower = Self { log: log.into(), position: 0, pending, taken, searched };
        follower.skip();
        follower
    }

    /// The log.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Where in the log the next line begins, in bytes from its start.
    pub fn position(&self) -> u64 {
        self.position - (self.pending.len() - self.taken) as u64
    }

    /// Leaves out what is in the log now, an unfinished line included.
    pub fn skip(&mut self) {
        self.go_to(self.length().unwrap_or(0));
    }

    /// How much of the log, as it is now, has not been handed out, in bytes.
    ///
    /// # Errors
    /// When the log cannot be looked at.
    pub fn unread(&self) -> io::Result<u64> {
        let length = self.length()?;
        // One that is shorter was begun anew.
        Ok(if length < self.position { length } else { length - self.position() })
    }

    /// Leaves out all but so many bytes at the end of the log as it is now. Gives the number of bytes that were left out.
    ///
    /// # Errors
    /// When the log cannot be looked at.
    pub fn skip_all_but(&mut self, bytes: u64) -> io::Result<u64> {
        let unread = self.unread()?;
        let surplus = unread.saturating_sub(bytes);
        if surplus > 0 {
            self.go_to(self.length()?.saturating_sub(bytes));
        }
        Ok(surplus)
    }

    fn go_to(&mut self, position: u64) {
        self.pending.clear();
        (self.taken, self.searched) = (0, 0);
        self.position = position;
    }

    /// The next whole line that has come, without escape sequences and control characters; none when there is no more
    /// for now. A console without a log says nothing.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn next_line(&mut self) -> io::Result<Option<String>> {
        let mut all = u64::MAX;
        self.next_line_within(&mut all)
    }

    /// As [`next_line`](Self::next_line), as long as anything is left of a number of bytes, from which the line's are
    /// taken. A guest can write faster than its console is read, so whoever reads until there is no more may never end.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn next_line_within(&mut self, bytes: &mut u64) -> io::Result<Option<String>> {
        while *bytes > 0 {
            let end = self.pending[self.searched..].iter().position(|&byte| byte == b'\n');
            let length = match end {
                Some(end) => self.searched + end + 1 - self.taken,
                None if self.pending.len() - self.taken >= LONGEST_LINE => LONGEST_LINE,
                None => {
                    self.searched = self.pending.len();
                    if self.read_more()? {
                        continue;
                    }
                    break;
                }
            };
            *bytes = bytes.saturating_sub(length as u64);
            return Ok(Some(self.take(length)));
        }
        Ok(None)
    }

    /// The beginning of a line that has not ended yet. It stays where it is: the whole line follows.
    pub fn unfinished(&self) -> Option<String> {
        let rest = &self.pending[self.taken..];
        (!rest.is_empty()).then(|| text(rest))
    }

    fn take(&mut self, length: usize) -> String {
        let line = text(&self.pending[self.taken..self.taken + length]);
        self.taken += length;
        self.searched = self.taken;
        line
    }

    /// Whether there was more.
    fn read_more(&mut self) -> io::Result<bool> {
        let length = self.length()?;
        if length < self.position {
            self.go_to(0);
        }
        if length == self.position {
            return Ok(false);
        }
        // Once for all lines that were read at once, not for each.
        self.pending.drain(..self.taken);
        self.searched -= self.taken;
        self.taken = 0;
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

    #[test]
    fn no_more_is_handed_out_than_was_asked_for() {
        let (_directory, log) = log();
        let mut follower = Follower::from_now(&log);
        append(&log, "12345\n1234\n123\n");
        let mut bytes = 7;
        assert_eq!(follower.next_line_within(&mut bytes).unwrap().as_deref(), Some("12345"));
        assert_eq!(follower.next_line_within(&mut bytes).unwrap().as_deref(), Some("1234"));
        assert_eq!((follower.next_line_within(&mut bytes).unwrap(), bytes), (None, 0));
        assert_eq!(follower.unread().unwrap(), 4);
        assert_eq!(lines(&mut follower), ["123"]);
    }

    #[test]
    fn the_end_of_what_was_not_read_stays() {
        let (_directory, log) = log();
        let mut follower = Follower::from_now(&log);
        append(&log, "first\nsecond\nthird\n");
        assert_eq!(follower.next_line().unwrap().as_deref(), Some("first"));
        assert_eq!((follower.unread().unwrap(), follower.skip_all_but(100).unwrap()), (13, 0));
        assert_eq!((follower.skip_all_but(6).unwrap(), follower.position()), (7, 13));
        append(&log, "fourth\n");
        assert_eq!(lines(&mut follower), ["third", "fourth"]);
        fs::write(&log, "anew\n").unwrap();
        assert_eq!((follower.unread().unwrap(), follower.skip_all_but(2).unwrap()), (5, 3));
        assert_eq!(lines(&mut follower), ["w"]);
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
