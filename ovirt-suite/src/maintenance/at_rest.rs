//! What was up before it was brought to rest, written down so that a killed process does not leave it there.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use lago::utils::{FileError, create_dir, read_json, write_json};
use serde::{Deserialize, Serialize};

use super::{host_rests, storage_domains};
use crate::api::Connection;
use crate::error::{Error, Result};

/// The hosts and storage domains that did not rest, by their identifiers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtRest {
    hosts: BTreeSet<String>,
    storage_domains: BTreeSet<String>,
}

impl AtRest {
    /// What does not rest now, also what is only on its way up, or is meant to be up and is not:
    /// [`deactivate`](super::deactivate) brings all of that to rest.
    pub fn what_is_up(engine: &Connection) -> Result<Self> {
        let mut up = Self::default();
        for host in engine.hosts().all()? {
            if !host_rests(&host) {
                up.hosts.insert(host.id()?.to_string());
            }
        }
        for domain in storage_domains(engine)?.into_iter().flatten() {
            if !domain.rests() {
                up.storage_domains.insert(domain.now.id()?.to_string());
            }
        }
        Ok(up)
    }

    /// The identifiers of the hosts.
    pub fn hosts(&self) -> &BTreeSet<String> {
        &self.hosts
    }

    /// The identifiers of the storage domains.
    pub fn storage_domains(&self) -> &BTreeSet<String> {
        &self.storage_domains
    }

    /// What is in this one or in another one.
    pub fn and(mut self, other: Option<Self>) -> Self {
        if let Some(more) = other {
            self.hosts.extend(more.hosts);
            self.storage_domains.extend(more.storage_domains);
        }
        self
    }

    /// What a file says, if there is one.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        match read_json(path) {
            Ok(at_rest) => Ok(Some(at_rest)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(file(error)),
        }
    }

    /// Writes it down, whole or not at all.
    pub fn write(&self, path: &Path) -> Result<()> {
        create_dir(path.parent().unwrap_or(path)).map_err(file)?;
        write_json(path, self).map_err(file)
    }

    /// Removes a file, if there is one.
    pub fn forget(path: &Path) -> Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(file(FileError::io("remove", path)(error)))
            }
            _ => Ok(()),
        }
    }
}

fn file(error: FileError) -> Error {
    lago::Error::from(error).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(hosts: &[&str], storage_domains: &[&str]) -> AtRest {
        let set = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        AtRest { hosts: set(hosts), storage_domains: set(storage_domains) }
    }

    #[test]
    fn it_outlives_its_process_until_it_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("at-rest/clean.json");
        assert_eq!(AtRest::read(&path).unwrap(), None);
        let at_rest = of(&["h"], &["s"]);
        at_rest.write(&path).unwrap();
        assert_eq!(AtRest::read(&path).unwrap(), Some(at_rest));
        AtRest::forget(&path).unwrap();
        AtRest::forget(&path).unwrap();
        assert_eq!(AtRest::read(&path).unwrap(), None);
    }

    #[test]
    fn what_an_earlier_call_has_left_is_not_lost() {
        let both = of(&["a"], &[]).and(Some(of(&["b"], &["s"])));
        assert_eq!(both, of(&["a", "b"], &["s"]));
        assert_eq!(both.clone().and(None), both);
    }
}
