//! What this machine lacks for private hosts, and the command that mends it.

mod devices;
mod firmware;
mod libguestfs;
mod namespaces;
mod packages;
mod programs;
mod system;

use std::fmt;

use serde::{Deserialize, Serialize};

pub(crate) use firmware::Executable;
pub(super) use firmware::{executable as uefi_executable, uefi};
pub(super) use programs::EMULATORS;
pub(super) use system::System;

/// One thing that private hosts need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What it is, in a word or two.
    pub name: String,
    /// How it is.
    pub status: Status,
    /// What was found, on one line.
    pub detail: String,
    /// One command that mends it.
    pub remedy: Option<String>,
}

/// How a [`Check`] came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// Things work without it, but slower, or not all of them.
    Warning,
    /// A private host cannot work.
    Missing,
}

impl Check {
    fn ok(name: &str, detail: impl Into<String>) -> Self {
        Self::new(name, Status::Ok, detail, None)
    }

    fn warning(name: &str, detail: impl Into<String>, remedy: impl Into<Option<String>>) -> Self {
        Self::new(name, Status::Warning, detail, remedy.into())
    }

    fn missing(name: &str, detail: impl Into<String>, remedy: impl Into<Option<String>>) -> Self {
        Self::new(name, Status::Missing, detail, remedy.into())
    }

    fn new(name: &str, status: Status, detail: impl Into<String>, remedy: Option<String>) -> Self {
        Self { name: name.to_owned(), status, detail: detail.into(), remedy }
    }
}

/// Name and finding on one line, with the command that mends it.
impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.detail)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; mend it with `{remedy}`"),
            None => Ok(()),
        }
    }
}

/// Looks at everything that private hosts need, and at what some init files need besides. It takes milliseconds and changes nothing.
pub fn doctor() -> Vec<Check> {
    examine(&System::this())
}

/// Looks whether libguestfs can change disks.
pub(crate) fn libguestfs_check() -> Check {
    libguestfs::check(&System::this())
}

fn examine(system: &System) -> Vec<Check> {
    let mut checks = programs::checks(system);
    checks.extend(namespaces::checks(system));
    checks.extend(devices::checks(system));
    checks.push(libguestfs::check(system));
    checks.push(firmware::uefi(system));
    checks
}

#[cfg(test)]
mod tests;
