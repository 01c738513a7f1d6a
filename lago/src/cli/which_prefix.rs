//! Which prefix a command is about.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::completion;
use crate::constants::CURRENT_LINK;
use crate::paths::Paths;
use crate::utils::FileError;
use crate::workdir::{Workdir, WorkdirError};

/// The options by which `lago`, and the programs that are verbs of it, are told the prefix that they are about.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct WhichPrefix {
    /// The workdir, or else `LAGO_WORKDIR`; without it, `.lago` here or in the nearest directory above.
    #[arg(short = 'w', long, alias = "workdir-path", global = true, value_name = "DIR")]
    pub(super) workdir: Option<PathBuf>,

    /// Which prefix of the workdir, or else `LAGO_PREFIX_NAME`; without it, the one that the current directory is in, or else
    /// the current one.
    #[arg(short = 'P', long, global = true, value_name = "NAME", add = completion::prefixes())]
    pub(super) prefix_name: Option<String>,

    /// A prefix by its directory, in any workdir or none; `LAGO_PREFIX_PATH` where nothing names another one.
    #[arg(
        short = 'p', long, visible_alias = "prefix", global = true, value_name = "DIR",
        conflicts_with_all = ["workdir", "prefix_name"]
    )]
    pub(super) prefix_path: Option<PathBuf>,
}

/// Where a prefix is.
#[derive(Debug)]
pub(super) enum Located {
    /// In a directory by itself.
    Alone(PathBuf),
    /// In a workdir, under this name or as the current one.
    In(Workdir, Option<String>),
}

impl WhichPrefix {
    /// With what the environment says where the command line says nothing. An option for which it speaks would count as one
    /// that was given, and be in conflict with another.
    #[must_use]
    pub fn with_environment(self) -> Self {
        self.with(|name| env::var_os(name))
    }

    fn with(mut self, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let said = |name| variable(name).filter(|value| !value.is_empty());
        if self.prefix_path.is_some() {
            return self;
        }
        self.workdir = self.workdir.or_else(|| said("LAGO_WORKDIR").map(PathBuf::from));
        let name = || said("LAGO_PREFIX_NAME").and_then(|name| name.into_string().ok());
        self.prefix_name = self.prefix_name.or_else(name);
        // A plugin is told the prefix by it, and may name another one.
        if self.workdir.is_none() && self.prefix_name.is_none() {
            self.prefix_path = said("LAGO_PREFIX_PATH").map(PathBuf::from);
        }
        self
    }

    /// The directory of the prefix.
    ///
    /// # Errors
    /// When there is no such prefix, or no workdir.
    pub fn path(&self) -> Result<PathBuf, WorkdirError> {
        match self.located()? {
            Located::Alone(path) => Ok(path),
            Located::In(workdir, name) => workdir.resolve(name.as_deref()),
        }
    }

    /// The workdir that was named, or the one around the current directory.
    pub(super) fn workdir(&self) -> Result<Workdir, WorkdirError> {
        match &self.workdir {
            Some(path) => Workdir::open(path),
            None => Workdir::find_upwards(&here()?),
        }
    }

    /// Where the prefix is: the one that was named, else the one that the current directory is in, else the current one of
    /// the workdir.
    pub(super) fn located(&self) -> Result<Located, WorkdirError> {
        if let Some(path) = &self.prefix_path {
            return Ok(Located::Alone(path.clone()));
        }
        let name = self.prefix_name.clone().filter(|name| name != CURRENT_LINK);
        if self.workdir.is_none()
            && self.prefix_name.is_none()
            && let Some(around) = prefix_around(&here()?)
        {
            return Ok(around);
        }
        Ok(Located::In(self.workdir()?, name))
    }
}

fn here() -> Result<PathBuf, WorkdirError> {
    Ok(env::current_dir().map_err(FileError::io("find", Path::new(".")))?)
}

/// The prefix that is in this directory or in one above it.
fn prefix_around(directory: &Path) -> Option<Located> {
    let prefix = directory.ancestors().find(|path| Paths::new(*path).is_prefix())?;
    let in_workdir = || {
        let name = prefix.file_name()?.to_str()?.to_owned();
        let workdir = prefix.parent().filter(|workdir| workdir.join(CURRENT_LINK).is_symlink())?;
        Some(Located::In(Workdir::open(workdir).ok()?, Some(name)))
    };
    Some(in_workdir().unwrap_or_else(|| Located::Alone(prefix.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_environment(given: WhichPrefix, variables: &[(&str, &str)]) -> [Option<String>; 3] {
        let which = given.with(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
        });
        let text = |path: Option<PathBuf>| path.map(|path| path.display().to_string());
        [text(which.workdir), which.prefix_name, text(which.prefix_path)]
    }

    #[test]
    fn the_environment_speaks_where_the_command_line_does_not() {
        let all = [("LAGO_WORKDIR", "w"), ("LAGO_PREFIX_NAME", "n"), ("LAGO_PREFIX_PATH", "p")];
        let some = |text: &str| Some(text.to_owned());
        let nothing = WhichPrefix::default();
        assert_eq!(in_environment(nothing.clone(), &all), [some("w"), some("n"), None]);
        assert_eq!(in_environment(nothing.clone(), &all[2..]), [None, None, some("p")]);
        assert_eq!(in_environment(nothing, &[("LAGO_PREFIX_PATH", "")]), [None, None, None]);
        let path = WhichPrefix { prefix_path: Some("mine".into()), ..WhichPrefix::default() };
        assert_eq!(in_environment(path, &all), [None, None, some("mine")]);
        let name = WhichPrefix { prefix_name: some("mine"), ..WhichPrefix::default() };
        assert_eq!(in_environment(name, &all[2..]), [None, some("mine"), None]);
    }
}
