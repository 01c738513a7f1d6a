//! A file that lines are appended to by any number of processes, and that does not grow for ever.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use super::super::files::{PRIVATE_MODE, is_at};

/// The name of the log in a prefix's directory of logs.
pub const LOG_FILE: &str = "lago.log";

/// How large the log becomes before it is put aside, in bytes.
pub const LOG_SIZE: u64 = 1 << 20;

#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
}

impl LogFile {
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).mode(PRIVATE_MODE).open(&path)?;
        Ok(Self { path, file })
    }

    /// Appends lines in one piece, so that those of several processes do not mix.
    pub(super) fn append(&self, lines: &[u8]) {
        // There is nobody to tell: the program's own work does not depend on it.
        let _ = (&self.file).write_all(lines);
    }

    /// Puts a full file aside and begins a new one. Without that, as in a directory that is gone, it goes on with the
    /// old one.
    pub(super) fn rotate_if_full(&mut self) {
        if self.file.metadata().is_ok_and(|file| file.len() >= LOG_SIZE) {
            let _ = self.rotate();
        }
    }

    /// Another process may be at it at this moment, which is not waited for, or have been before: then its new file is
    /// the one to go on with.
    fn rotate(&mut self) -> io::Result<()> {
        self.file.try_lock()?;
        if is_at(&self.file, &self.path)? {
            fs::rename(&self.path, self.path.with_extension("log.1"))?;
        }
        // The lock ends with the file that is closed here.
        *self = Self::open(self.path.clone())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_full_file_is_put_aside_by_whoever_is_first_and_no_line_is_lost_or_torn() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(LOG_FILE);
        let (writers, each) = (4_usize, 700_usize);
        thread::scope(|scope| {
            for writer in 0..writers {
                let path = path.clone();
                scope.spawn(move || {
                    let mut log = LogFile::open(path).unwrap();
                    for line in 0..each {
                        log.rotate_if_full();
                        log.append(format!("{writer} {line} {}\n", "x".repeat(500)).as_bytes());
                    }
                });
            }
        });
        let aside = dir.path().join("lago.log.1");
        let lines = |path| fs::read_to_string(path).unwrap().lines().count();
        assert_eq!(lines(&aside) + lines(&path), writers * each);
        for file in [aside, path] {
            let text = fs::read_to_string(&file).unwrap();
            assert!(text.lines().all(|line| line.ends_with(&"x".repeat(500))));
        }
    }

    /// Several may go on with the full one while another puts it aside, however long that takes.
    #[test]
    fn one_writer_alone_goes_no_more_than_a_line_beyond_the_size() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(LOG_FILE);
        let mut log = LogFile::open(path.clone()).unwrap();
        let line = [b'x'; 1000];
        for _ in 0..=2 * LOG_SIZE / 1000 {
            log.rotate_if_full();
            log.append(&line);
        }
        let size = |path| fs::metadata(path).unwrap().len();
        let aside = size(dir.path().join("lago.log.1"));
        assert!((LOG_SIZE..LOG_SIZE + 1000).contains(&aside), "{aside} bytes");
        assert!(size(path) < LOG_SIZE + 1000);
    }

    #[test]
    fn a_log_whose_directory_is_gone_costs_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(LOG_FILE);
        let mut log = LogFile::open(path).unwrap();
        log.append(&vec![b'x'; usize::try_from(LOG_SIZE).unwrap()]);
        drop(dir);
        log.rotate_if_full();
        log.append(b"still here\n");
    }
}
