//! How a VM has ended.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use virt::domain::Domain;

use super::{Vm, VmState};
use crate::utils::Deadline;
use crate::virt::VirtError;
use crate::virt::connection::QUESTION_LIMIT;

/// How much of the log's end is read: many times what libvirt and QEMU write at an end.
const TAIL_BYTES: u64 = 16 << 10;

/// From the moment when a QEMU does not answer any more until libvirt has taken note of its end: as long as a loaded
/// machine takes to run a handler.
const NOTICE_LIMIT: Duration = Duration::from_secs(5);

/// How often libvirt is asked meanwhile.
const NOTICE_INTERVAL: Duration = Duration::from_millis(20);

/// How a VM has ended, as libvirt notes it in its log of the VM's QEMU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VmEnding {
    /// libvirt's word for it, one of `virDomainShutoffReason`: `shutdown` by the guest, `destroyed` by somebody who pulled
    /// the plug, `crashed`, `failed`. None when the log does not tell.
    pub reason: Option<String>,
    /// When, as the log has it.
    pub at: Option<String>,
    /// The log.
    pub log: PathBuf,
}

impl VmEnding {
    /// Whether nobody wanted it: neither the guest, nor somebody who uses libvirt.
    pub fn is_death(&self) -> bool {
        const WANTED: [&str; 5] = ["shutdown", "destroyed", "migrated", "saved", "from snapshot"];
        self.reason.as_deref().is_none_or(|reason| !WANTED.contains(&reason))
    }

    fn read(log: &Path) -> Self {
        let noted = end_of(log).ok().and_then(|text| noted(&text));
        let (reason, at) = noted.unzip();
        Self { reason, at, log: log.to_owned() }
    }
}

/// Ends a sentence that begins with the VM: `its QEMU has crashed (2026-11-27 15:02:55.752+0000)`.
impl fmt::Display for VmEnding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason.as_deref() {
            Some("shutdown") => {
                write!(f, "its guest has shut it down, or its QEMU was asked to end")?;
            }
            Some("destroyed") => write!(f, "somebody has pulled its plug")?,
            Some("crashed") => write!(f, "its QEMU has crashed or was killed")?,
            Some(reason) => write!(f, "it has ended, and libvirt's reason is `{reason}`")?,
            None => write!(f, "its end is not in {}", self.log.display())?,
        }
        self.at.iter().try_for_each(|at| write!(f, " ({at})"))
    }
}

impl Vm {
    /// How the VM has ended; none while it is there.
    ///
    /// This asks QEMU itself, as libvirt takes some time to notice that a QEMU has died.
    pub fn ending(&self) -> Result<Option<VmEnding>, VirtError> {
        if self.is_remote() {
            return Ok(None);
        }
        if !self.inner.connection.host().is_running() {
            return Ok(Some(VmEnding::read(&self.qemu_log())));
        }
        if self.alive()? && (self.answers()? || !self.has_ended_within(NOTICE_LIMIT)?) {
            return Ok(None);
        }
        Ok(Some(VmEnding::read(&self.qemu_log())))
    }

    /// The log that libvirt keeps of the VM's QEMU: its command line, what it has printed, and how it ended.
    pub fn qemu_log(&self) -> PathBuf {
        self.inner.connection.host().qemu_log(self.libvirt_name())
    }

    /// Whether its QEMU answers a question for which libvirt must ask it. Not every one will do: the statistics of its
    /// memory come from libvirt alone when QEMU does not answer.
    fn answers(&self) -> Result<bool, VirtError> {
        let asked = self.ask(QUESTION_LIMIT, |domain: &Domain| domain.block_stats(""))?;
        Ok(asked.is_ok())
    }

    fn has_ended_within(&self, limit: Duration) -> Result<bool, VirtError> {
        let deadline = Deadline::new("libvirt to take note of an end", limit);
        while matches!(self.state()?, VmState::Running | VmState::Paused) {
            if deadline.passed() {
                return Ok(false);
            }
            thread::sleep(NOTICE_INTERVAL);
        }
        Ok(true)
    }
}

fn end_of(log: &Path) -> io::Result<String> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The reason and the time in the last line in which libvirt notes an end, unless another start follows it:
/// `2026-11-27 15:02:55.752+0000: shutting down, reason=crashed`.
fn noted(log: &str) -> Option<(String, String)> {
    let is_start = |line: &&str| line.contains(": starting up libvirt version");
    let since_start = log.lines().rev().take_while(|line| !is_start(line));
    since_start.into_iter().find_map(|line| {
        let (at, reason) = line.split_once(": shutting down, reason=")?;
        Some((reason.trim().to_owned(), at.to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
2026-11-27 15:02:49.000+0000: starting up libvirt version: 9.0.0, qemu version: 7.2.9
-msg timestamp=on
char device redirected to /dev/pts/0 (label charserial0)
2026-11-27 15:02:55.752+0000: shutting down, reason=crashed
";

    #[test]
    fn the_last_end_counts() {
        let expected = ("crashed".to_owned(), "2026-11-27 15:02:55.752+0000".to_owned());
        assert_eq!(noted(LOG), Some(expected));
        let again = format!("{LOG}{}", LOG.replace("crashed", "destroyed"));
        assert_eq!(noted(&again).unwrap().0, "destroyed");
        let runs = format!("{LOG}{}", LOG.lines().next().unwrap());
        assert_eq!(noted(&runs), None);
        assert_eq!(noted(""), None);
    }

    #[test]
    fn what_nobody_wanted_is_a_death() {
        let ending = |reason: Option<&str>| VmEnding {
            reason: reason.map(ToOwned::to_owned),
            at: None,
            log: "/logs/vm0.log".into(),
        };
        for death in [Some("crashed"), Some("failed"), Some("daemon"), None] {
            assert!(ending(death).is_death(), "{death:?}");
        }
        for wanted in ["shutdown", "destroyed", "saved"] {
            assert!(!ending(Some(wanted)).is_death(), "{wanted}");
        }
        assert_eq!(ending(None).to_string(), "its end is not in /logs/vm0.log");
    }

    #[test]
    fn a_log_that_is_not_there_tells_nothing() {
        let ending = VmEnding::read(Path::new("/no/such/log"));
        assert_eq!((ending.reason, ending.at), (None, None));
    }
}
