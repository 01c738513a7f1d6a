//! Which processes are in a private host.

use std::fs;
use std::path::PathBuf;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// The namespaces that make a private host, remembered while its first process still tells them.
#[derive(Debug)]
pub(super) struct Census {
    first: i32,
    network: PathBuf,
    processes: PathBuf,
}

impl Census {
    /// Of the host whose first process is `pid`; `None` when that has ended.
    pub(super) fn of(pid: i32) -> Option<Self> {
        Some(Self {
            first: pid,
            network: namespace(pid, "net")?,
            processes: namespace(pid, "pid")?,
        })
    }

    /// Kills the processes that still do something in the host, and says which these were.
    ///
    /// A zombie does nothing any more. It may stay for long: a process that entered the host has its parent outside,
    /// and whoever inherits it there may be slow to take notice. Meanwhile the kernel keeps the host's first process.
    pub(super) fn kill(&self) -> Vec<i32> {
        processes().filter(|pid| self.kill_one(*pid) == Some(())).collect()
    }

    /// Kills one process; `None` when it is not one that lives in the host.
    fn kill_one(&self, pid: i32) -> Option<()> {
        if !self.holds(pid) {
            return None;
        }
        let descriptor = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
        // From here on the number cannot mean another process without the descriptor being dead.
        if !self.holds(pid) || self.has_ended(pid) {
            return None;
        }
        // A process that cannot be killed stays among the living, which the caller reports.
        let _ = pidfd_send_signal(&descriptor, Signal::KILL);
        Some(())
    }

    /// Whether the process is gone or a zombie. The first process counts as one once its memory is gone, and with it
    /// its arguments: then it only waits for the kernel to bury the others.
    fn has_ended(&self, pid: i32) -> bool {
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
        match state(&stat) {
            Some('Z' | 'X') | None => true,
            Some(_) if pid == self.first => fs::read(format!("/proc/{pid}/cmdline"))
                .map_or(true, |arguments| arguments.is_empty()),
            Some(_) => false,
        }
    }

    fn holds(&self, pid: i32) -> bool {
        // What entered the host is supervised by a process that is in the network namespace only.
        namespace(pid, "net").is_some_and(|found| found == self.network)
            || namespace(pid, "pid").is_some_and(|found| found == self.processes)
    }
}

/// The numbers of all processes.
pub(super) fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").ok().into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

fn namespace(pid: i32, kind: &str) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/{kind}")).ok()
}

/// The state of a process, which follows its name; the name may hold anything.
fn state(stat: &str) -> Option<char> {
    stat.rsplit_once(") ")?.1.chars().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_after_a_misleading_name() {
        assert_eq!(state("4711 (sh) Z 1 4711 4711 0"), Some('Z'));
        assert_eq!(state("4711 (a) Z b) S 1 4711 4711 0"), Some('S'));
        assert_eq!(state(""), None);
    }
}
