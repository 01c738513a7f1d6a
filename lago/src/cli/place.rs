//! Where a verb makes a new prefix.

use std::path::PathBuf;

use super::context::Context;
use crate::constants::DEFAULT_WORKDIR;
use crate::workdir::Workdir;

/// Where the new prefix goes.
pub(super) enum Place {
    /// A directory of its own.
    Alone(PathBuf),
    /// A workdir, under a name.
    Workdir(Workdir, String),
}

impl Place {
    /// The directory, or in the workdir (this one, or the one of the command line) the name that the command line has;
    /// otherwise this one.
    pub(super) fn of(
        context: &Context,
        directory: Option<PathBuf>,
        workdir: Option<PathBuf>,
        name: &str,
    ) -> anyhow::Result<Self> {
        if let Some(path) = directory.filter(|_| workdir.is_none()) {
            return Ok(Self::Alone(path));
        }
        let workdir = workdir.or_else(|| context.which.workdir.clone());
        let workdir = workdir.unwrap_or_else(|| PathBuf::from(DEFAULT_WORKDIR));
        let name = context.new_name().unwrap_or_else(|| name.to_owned());
        Ok(Self::Workdir(Workdir::create(&workdir)?, name))
    }

    pub(super) fn path(&self) -> anyhow::Result<PathBuf> {
        match self {
            Self::Alone(path) => Ok(path.clone()),
            Self::Workdir(workdir, name) => Ok(workdir.prefix_path(name)?),
        }
    }

    /// Leaves no new workdir behind that holds nothing.
    pub(super) fn give_up(&self) {
        if let Self::Workdir(workdir, _) = self {
            workdir.remove_if_empty();
        }
    }

    pub(super) fn made(&self, set_current: bool) -> anyhow::Result<()> {
        let Self::Workdir(workdir, name) = self else { return Ok(()) };
        workdir.add(name)?;
        if set_current {
            workdir.set_current(name)?;
        }
        Ok(())
    }
}
