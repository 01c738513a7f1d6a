//! Files out of a guest, whatever state it is in: over ssh, else through the guest agent, else off the disks of a guest
//! that does not answer any more.

mod access;
mod agent;
mod disk;
mod ssh;
mod tree;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use access::{ANSWER_LIMIT, Access};
pub(crate) use tree::contain;

use crate::Result;
use crate::guest::GuestError;
use crate::guest::ssh::DEFAULT_TRANSFER_LIMIT;
use crate::utils::{BoxError, Deadline, Failures};
use crate::virt::Vm;

/// One path that is to be taken out of a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// In the guest, from its root.
    pub(crate) guest: String,
    /// Here. Nothing is there yet.
    pub(crate) local: PathBuf,
}

impl Vm {
    /// Copies files and directories out of the guest, each pair a path in the guest and one here, where nothing may be
    /// yet. The guest need not answer: what cannot be had over ssh comes through the guest agent, and else off the disks,
    /// while a VM that runs and does not answer stands still. All that can be copied is, also when some of it cannot.
    ///
    /// A symbolic link that leads out of what is copied becomes a file that says where to.
    ///
    /// # Errors
    /// [`GuestError::Transfer`] for each path that could not be copied.
    ///
    /// ```no_run
    /// fn logs(vm: &lago::Vm) -> lago::Result<()> {
    ///     vm.extract_paths([("/var/log", "logs"), ("/etc/os-release", "os-release")])
    /// }
    /// ```
    pub fn extract_paths(
        &self,
        paths: impl IntoIterator<Item = (impl Into<String>, impl AsRef<Path>)>,
    ) -> Result<()> {
        let wanted: Vec<_> = paths
            .into_iter()
            .map(|(guest, local)| Wanted { guest: guest.into(), local: local.as_ref().to_owned() })
            .collect();
        let deadline = Deadline::new("files out of the guest", DEFAULT_TRANSFER_LIMIT);
        let access = Access::find(self, ANSWER_LIMIT);
        let failed = extract(self, &access, &wanted, &deadline).into_iter().filter_map(Result::err);
        let mut failed = failed.map(crate::Error::from);
        let Some(first) = failed.next() else { return Ok(()) };
        let others = failed.map(|error| -> BoxError { error.into() }).collect();
        Err(Failures { first, others }.into())
    }
}

/// Takes each path out of the guest, until the deadline. The results are in the order of the paths.
pub(crate) fn extract(
    vm: &Vm,
    access: &Access,
    wanted: &[Wanted],
    deadline: &Deadline,
) -> Vec<Result<(), GuestError>> {
    match access {
        Access::Ssh => each(wanted, |path| ssh::copy(vm, path, deadline)),
        Access::Agent => each(wanted, |path| agent::copy(vm, path, deadline)),
        Access::Disk { running, .. } => disk::copy_all(vm, *running, wanted, deadline),
    }
}

fn each(
    wanted: &[Wanted],
    copy: impl Fn(&Wanted) -> Result<(), GuestError>,
) -> Vec<Result<(), GuestError>> {
    wanted.iter().map(copy).collect()
}

/// The reason when there is nothing at a path in the guest.
const NOT_THERE: &str = "no such file or directory";

/// Whether a path could not be copied because there is nothing.
pub(crate) fn is_not_there(error: &GuestError) -> bool {
    matches!(error, GuestError::Transfer { detail, .. } if detail.ends_with(NOT_THERE))
}

/// A path that could not be copied, and why.
fn failed(vm: &Vm, wanted: &Wanted, why: impl fmt::Display) -> GuestError {
    GuestError::Transfer {
        vm: vm.name().to_owned(),
        what: format!("taking {} out of the guest", wanted.guest),
        detail: why.to_string(),
    }
}

/// What is left of the deadline; an error when that is nothing.
fn remaining(vm: &Vm, wanted: &Wanted, deadline: &Deadline) -> Result<Duration, GuestError> {
    deadline.check().map_err(|error| failed(vm, wanted, error))?;
    Ok(deadline.remaining())
}
