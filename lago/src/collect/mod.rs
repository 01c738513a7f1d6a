//! What can be known of an environment now, in a directory: for the one who wants to understand a failure.
//!
//! ```text
//! README.txt            what there is, what could not be had, and why
//! libvirtd.log          what the private host's libvirt logged
//! <vm>/state.txt        the domain's state and its reason, processors, disks, network cards, addresses: virsh's words
//! <vm>/domain.xml       its description, as libvirt has it now
//! <vm>/qemu.log         QEMU's command line and messages
//! <vm>/screenshot.png   what its display shows
//! <vm>/console.log      all that it wrote to its serial console
//! <vm>/journal.txt      the guest's journal since it booted, or syslog.txt without systemd
//! <vm>/dmesg.txt        the kernel's messages
//! <vm>/services.txt     the guest's services: those that failed, those whose state changed lately, all; without systemd
//!                       when the processes started
//! <vm>/processes.txt    the guest's processes
//! <vm>/logs/...         where nobody answers in the guest: its journal's files and system's logs, off the disks
//! <vm>/artifacts/...    what the init file lists under `artifacts`
//! ```
//!
//! VMs are looked at in parallel. Every step has a limit, and what cannot be had is listed with the reason: a VM that is
//! down, a guest that hangs or a libvirt that does not answer costs what depends on it, and nothing else.

mod domain;
mod folder;
mod guest;
mod limits;
mod processes;
mod services;

use std::path::{Component, Path, PathBuf};
use std::thread;
use std::time::Duration;

use chrono::{SecondsFormat, Utc};

use crate::utils::{Deadline, parallel};
use crate::{Prefix, Result, Vm};
use folder::Folder;
pub use limits::COLLECT as COLLECT_LIMIT;

/// What is collected, and how long it may take.
#[derive(Debug, Clone)]
pub struct CollectOptions {
    /// What the list in the directory begins with: what it is evidence of.
    pub title: String,
    /// The limit of all of it.
    pub limit: Duration,
    /// How long ago that began which went wrong: services whose state has changed since are listed first.
    pub since: Option<Duration>,
    /// The caller's own files, which go with the others.
    pub extra: Vec<ExtraFile>,
}

/// A file of this host that goes with what is collected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraFile {
    /// The file.
    pub source: PathBuf,
    /// From which byte on it is wanted.
    pub offset: u64,
    /// Its copy, from the directory.
    pub path: PathBuf,
    /// What it holds.
    pub what: String,
}

impl CollectOptions {
    /// Of what is now, within [`COLLECT_LIMIT`].
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), limit: COLLECT_LIMIT, since: None, extra: Vec::new() }
    }
}

/// What was collected.
#[derive(Debug, Clone)]
pub struct Collected {
    /// The directory.
    pub directory: PathBuf,
    /// The files in it, the list for people first.
    pub files: Vec<CollectedFile>,
    /// What could not be had.
    pub missing: Vec<NotCollected>,
    /// How long it took.
    pub took: Duration,
}

/// A file that was collected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectedFile {
    /// Where it is, from the directory.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// What it holds.
    pub what: String,
}

/// Something that could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotCollected {
    /// Where it would be, from the directory.
    pub path: PathBuf,
    /// What it would hold.
    pub what: String,
    /// Why it is not there.
    pub reason: String,
}

impl NotCollected {
    /// Whether it is one of the paths that the init file lists under `artifacts`.
    pub fn is_artifact(&self) -> bool {
        self.path.components().nth(1).is_some_and(|part| part.as_os_str() == ARTIFACTS)
    }
}

/// Where the files are that the init file names.
const ARTIFACTS: &str = "artifacts";

impl Prefix {
    /// Collects what can be known of the environment now into a directory, which is new or empty. Changes nothing, but
    /// that a VM which runs and whose guest does not answer stands still while its disks are read.
    ///
    /// # Errors
    /// When there is no such directory to be had. Whatever else cannot be had is in the result.
    pub fn collect(&self, directory: &Path, options: &CollectOptions) -> Result<Collected> {
        let deadline = Deadline::new("the evidence", options.limit);
        let folder = Folder::create(directory)?;
        let log = self.paths().host().join("host.log");
        if self.host().is_private() {
            folder.copy_log(
                &log,
                0,
                Path::new("libvirtd.log"),
                "the log of the private host's libvirt",
            );
        }
        let look = |vm: &Vm| -> std::io::Result<()> {
            folder.make_directory(vm.name())?;
            if vm.is_remote() {
                guest::collect(vm, &folder, &deadline, options.since);
                return Ok(());
            }
            let domain = domain::Domain { prefix: self, vm, folder: &folder, deadline: &deadline };
            thread::scope(|scope| {
                scope.spawn(|| guest::collect(vm, &folder, &deadline, options.since));
                domain.collect();
            });
            Ok(())
        };
        if let Err(failures) = parallel(self.vms(), look) {
            folder.miss(Path::new("."), "directories of VMs", failures);
        }
        for file in &options.extra {
            folder.copy_log(&file.source, file.offset, &file.path, &file.what);
        }
        let took = deadline.elapsed();
        let now = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
        let title = format!("{}\n{now}, prefix {}", options.title, self.paths().prefix().display());
        let (directory, files, missing) = folder.finish(&title, took);
        Ok(Collected { directory, files, missing, took })
    }
}

/// A path of the guest's as one that leads nowhere but down.
fn downwards(guest: &str) -> PathBuf {
    let parts = Path::new(guest).components();
    parts.filter(|part| matches!(part, Component::Normal(_))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_a_guest_leads_nowhere_else() {
        for (guest, path) in [
            ("/var/log/messages", "var/log/messages"),
            ("/var/log/", "var/log"),
            ("/../../etc/passwd", "etc/passwd"),
            ("/", ""),
        ] {
            assert_eq!(downwards(guest), Path::new(path), "{guest}");
        }
    }
}
