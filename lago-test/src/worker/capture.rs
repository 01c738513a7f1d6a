//! Standard output and error of one scenario, sent to its log file: also what its child processes print, and what is
//! printed before it is killed.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;

use rustix::stdio::{dup2_stderr, dup2_stdout, stderr, stdout};

/// While it lives, file descriptors 1 and 2 are the log.
pub(super) struct Capture {
    stdout: OwnedFd,
    stderr: OwnedFd,
}

impl Capture {
    pub(super) fn begin(log: &str) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(log)?;
        let before = Self {
            stdout: rustix::io::fcntl_dupfd_cloexec(stdout(), 3)?,
            stderr: rustix::io::fcntl_dupfd_cloexec(stderr(), 3)?,
        };
        dup2_stdout(&file)?;
        dup2_stderr(&file)?;
        Ok(before)
    }

    /// Puts back what file descriptors 1 and 2 were before.
    pub(super) fn end(self) -> io::Result<()> {
        let flushed = io::stdout().flush();
        dup2_stdout(&self.stdout)?;
        dup2_stderr(&self.stderr)?;
        flushed
    }
}
