//! Where things of oVirt's are in a prefix.

use std::path::PathBuf;

use lago::paths::Paths;

/// The paths of a prefix, with those of oVirt's.
#[derive(Debug, Clone)]
pub struct OvirtPaths {
    lago: Paths,
}

impl OvirtPaths {
    /// Those of a prefix.
    pub fn new(lago: Paths) -> Self {
        Self { lago }
    }

    /// Those that every prefix has.
    pub fn lago(&self) -> &Paths {
        &self.lago
    }

    /// What the guests are given packages from: one directory for each distribution.
    pub fn internal_repos(&self) -> PathBuf {
        self.lago.prefix().join("internal_repo")
    }

    /// The packages for one distribution.
    pub fn internal_repo(&self, distribution: &str) -> PathBuf {
        self.internal_repos().join(distribution)
    }

    /// What was built of a project for this environment.
    pub fn build_dir(&self, project: &str) -> PathBuf {
        self.lago.prefix().join("build").join(project)
    }

    /// What was up before storage and hosts were brought to rest, while they are.
    pub fn at_rest(&self) -> PathBuf {
        self.lago.prefix().join("ovirt-at-rest.json")
    }

    /// What was up before storage and hosts were brought to rest for a snapshot.
    pub fn at_rest_in(&self, snapshot: &str) -> PathBuf {
        self.lago.prefix().join("ovirt-at-rest").join(format!("{snapshot}.json"))
    }
}
