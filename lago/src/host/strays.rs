//! Private hosts that nobody will stop any more.

use std::fmt;
use std::path::{Path, PathBuf};

use super::error::HostError;
use super::init_process::InitProcess;
use super::private::{self, PrivateHost};

/// A private host of this user which its prefix no longer knows.
#[derive(Debug)]
pub struct Stray {
    init: InitProcess,
    reason: StrayReason,
}

/// Why a host is a stray.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StrayReason {
    /// Its directory was removed while it ran.
    DirectoryGone,
    /// Its directory was made anew, or says that another instance was started in it since.
    Superseded,
}

/// Finds the stray hosts of this user.
pub fn strays() -> Vec<Stray> {
    InitProcess::all().into_iter().filter_map(Stray::examine).collect()
}

impl Stray {
    fn examine(init: InitProcess) -> Option<Self> {
        let reason = if !init.dir.is_dir() {
            StrayReason::DirectoryGone
        } else if PrivateHost::new(&init.dir).knows(&init) {
            return None;
        } else {
            StrayReason::Superseded
        };
        Some(Self { init, reason })
    }

    /// The host's first process.
    pub fn pid(&self) -> i32 {
        self.init.pid
    }

    /// The directory in which it was started.
    pub fn dir(&self) -> &Path {
        &self.init.dir
    }

    /// Why it is a stray.
    pub fn reason(&self) -> StrayReason {
        self.reason
    }

    /// Ends it and all that runs in it.
    pub fn remove(self) -> Result<(), HostError> {
        let (dir, pid): (PathBuf, i32) = (self.init.dir.clone(), self.init.pid);
        private::kill(&self.init).map_err(|reason| HostError::Stop { dir, pid, reason })
    }
}

impl fmt::Display for StrayReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DirectoryGone => "its directory is gone",
            Self::Superseded => "its directory belongs to another instance",
        })
    }
}
