//! The first process of a private host: how it is found again, by whomever, and told from any other process.
//!
//! Its arguments say what it is: the script in the host's directory, a marker, and the instance, an identifier made at
//! each start. Files only speed the search up, so one that is stale, damaged or gone does no harm.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, geteuid, pidfd_open, pidfd_send_signal};

use super::census::processes;
use super::time;

/// The argument that tells the first process of a private host from any other process.
pub(super) const MARKER: &str = "lago-private-host";

/// The name of the script in the host's directory.
pub(super) const SCRIPT: &str = "init.sh";

/// The number of a first process in its own PID namespace.
const NUMBER_ONE: i32 = 1;

/// A running first process. The process descriptor keeps meaning this one even when its number is used again.
#[derive(Debug)]
pub(super) struct InitProcess {
    pub(super) pid: i32,
    pub(super) dir: PathBuf,
    pub(super) instance: String,
    descriptor: OwnedFd,
}

impl InitProcess {
    /// The process with this number, if it is the first one of a private host of this user.
    pub(super) fn examine(pid: i32) -> Option<Self> {
        let descriptor = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
        let proc = Path::new("/proc").join(pid.to_string());
        if fs::metadata(&proc).ok()?.uid() != geteuid().as_raw() {
            return None;
        }
        let (dir, instance) = parse_arguments(&fs::read(proc.join("cmdline")).ok()?)?;
        is_first_process(&fs::read_to_string(proc.join("status")).ok()?).then_some(Self {
            pid,
            dir,
            instance,
            descriptor,
        })
    }

    /// The host in which this process runs.
    pub(super) fn around_this_process() -> Option<Self> {
        Self::examine(NUMBER_ONE)
    }

    /// All private hosts of this user, but not the one in which this process may run.
    pub(super) fn all() -> Vec<Self> {
        processes().filter(|pid| *pid != NUMBER_ONE).filter_map(Self::examine).collect()
    }

    /// Where the host's file system is seen from outside, up to `path` in it.
    pub(super) fn root(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.pid)).join(path)
    }

    /// The process descriptor alone.
    pub(super) fn into_descriptor(self) -> OwnedFd {
        self.descriptor
    }

    /// Kills the process, and with it the kernel kills all others in its PID namespace.
    pub(super) fn kill(&self) -> rustix::io::Result<()> {
        match pidfd_send_signal(&self.descriptor, Signal::KILL) {
            Err(rustix::io::Errno::SRCH) => Ok(()),
            other => other,
        }
    }

    /// Waits until the process has ended, at most for `limit`; says whether it has.
    ///
    /// The kernel ends it only after every other process of its PID namespace.
    pub(super) fn wait_for_end(&self, limit: Duration) -> bool {
        time::wait_readable(&self.descriptor, limit)
    }
}

/// The host's directory and the instance, from the zero-separated arguments of a process.
fn parse_arguments(cmdline: &[u8]) -> Option<(PathBuf, String)> {
    let mut arguments = cmdline.split(|byte| *byte == 0);
    let _shell = arguments.next()?;
    let script = Path::new(OsStr::from_bytes(arguments.next()?));
    if script.file_name()? != SCRIPT || arguments.next()? != MARKER.as_bytes() {
        return None;
    }
    let instance = str::from_utf8(arguments.next()?).ok()?.to_owned();
    Some((script.parent()?.to_owned(), instance))
}

/// Whether the `status` file of a process says that it is number one of its innermost PID namespace.
///
/// The script's short-lived children have the same arguments, and so has `unshare` with others in front.
fn is_first_process(status: &str) -> bool {
    status
        .lines()
        .find_map(|line| line.strip_prefix("NSpid:"))
        .and_then(|numbers| numbers.split_whitespace().next_back())
        == Some("1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_of_a_first_process() {
        let found =
            parse_arguments(b"/bin/sh\0/a b/host/init.sh\0lago-private-host\0id-1\0/a b/host\0");
        assert_eq!(found, Some((PathBuf::from("/a b/host"), "id-1".to_owned())));
    }

    #[test]
    fn arguments_of_other_processes() {
        for other in [
            &b""[..],
            b"/bin/sh\0",
            b"/bin/sh\0/a/init.sh\0",
            b"/bin/sh\0/a/init.sh\0other\0id\0",
            b"/bin/sh\0/a/other.sh\0lago-private-host\0id\0",
            b"unshare\0--net\0/bin/sh\0/a/init.sh\0lago-private-host\0id\0/a\0",
        ] {
            assert_eq!(parse_arguments(other), None, "{:?}", String::from_utf8_lossy(other));
        }
    }

    #[test]
    fn first_process_of_its_namespace() {
        assert!(is_first_process("Name:\tsh\nNSpid:\t4711\t1\nNSpgid:\t1\t1\n"));
        assert!(is_first_process("NSpid:\t1\n"));
        assert!(!is_first_process("NSpid:\t4711\t11\n"));
        assert!(!is_first_process("NSpid:\t4711\n"));
        assert!(!is_first_process("Name:\tsh\n"));
    }
}
