use std::io;
use std::path::PathBuf;

/// What goes wrong with snapshots.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// A name that cannot be a snapshot's.
    #[error("`{name}` cannot be the name of a snapshot: {reason}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is one by this name.
    #[error("there is a snapshot `{name}` already; delete it first, or choose another name")]
    Exists {
        /// The name.
        name: String,
    },
    /// There is none by this name.
    #[error("there is no snapshot `{name}`; {}", listed(known))]
    Unknown {
        /// The name.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// A file of a snapshot is gone, so the environment was left as it is.
    #[error(
        "snapshot `{name}` cannot be used, because its file {} is gone; nothing was changed. Delete the snapshot",
        path.display()
    )]
    Incomplete {
        /// The snapshot.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// Forks run on it.
    #[error("{what} is in use by the fork {}; destroy that first (`lago --prefix {} destroy`)", fork.display(), fork.display())]
    InUse {
        /// A snapshot, or the whole prefix.
        what: String,
        /// One of the forks.
        fork: PathBuf,
    },
    /// A fork needs a private host.
    #[error(
        "only an environment on a private host can be forked; this one is on {host}, where its addresses are taken"
    )]
    NotPrivate {
        /// The libvirt on which the environment is.
        host: String,
    },
    /// A snapshot without memory is asked for, and nothing runs.
    #[error(
        "a live snapshot is one of running VMs, and none runs; leave out the option to keep the disks"
    )]
    NothingRuns,
    /// The VMs are to stand still at an instant that was not kept.
    #[error(
        "snapshot `{name}` has no memory: its VMs boot, and cannot stand still at its instant; leave out the option for that"
    )]
    NoMemory {
        /// The snapshot.
        name: String,
    },
    /// A file of a snapshot could not be used.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was being done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The VMs were stopped to put them back, and could not be brought up again.
    #[error(
        "the environment could not be put back to snapshot `{name}`, and its VMs are down. Try again; `lago start` boots \
         them from the disks of the snapshot"
    )]
    Down {
        /// The snapshot.
        name: String,
        /// What went wrong.
        #[source]
        source: Box<crate::Error>,
    },
}

fn listed(known: &[String]) -> String {
    if known.is_empty() {
        "there is none at all yet".to_owned()
    } else {
        format!("there are {}", known.join(", "))
    }
}
