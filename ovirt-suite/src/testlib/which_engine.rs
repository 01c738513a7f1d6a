//! Which engine a suite runs against.

use std::env;
use std::path::{Path, PathBuf};

use lago::Prefix;
use lago::templates::TemplateRepository;
use lago_test::Failure;

use super::external::ExternalEngine;
use crate::error::{Error, Result};
use crate::repos::RepoServer;

/// The manifest of a template repository with oVirt in it: see [`OvirtTemplates`].
pub const TEMPLATES: &str = "LAGO_OVIRT_TEMPLATES";

/// A directory with packages for machines from [`TEMPLATES`], which the environment serves to them as long as it is up: one
/// directory below it for each distribution, such as `el9`, as `lago ovirt reposetup` makes them.
pub const REPOS: &str = "LAGO_OVIRT_REPOS";

/// The template of the machine on which `engine-setup` makes the engine.
pub const ENGINE_TEMPLATE: &str = "ovirt-engine";

/// The template of the hosts, which the engine installs over ssh.
pub const HOST_TEMPLATE: &str = "ovirt-host";

/// The template of the machines that become NFS and iSCSI servers.
pub const STORAGE_TEMPLATE: &str = "ovirt-storage";

/// Which engine a suite runs against: one that its environment simulates, oVirt itself in the environment, or one that exists
/// already.
///
/// ```no_run
/// use ovirt_suite::testlib::WhichEngine;
///
/// # fn main() -> Result<(), ovirt_suite::Error> {
/// match WhichEngine::from_env()? {
///     WhichEngine::Simulator => println!("what is in the engine's VM is not oVirt"),
///     WhichEngine::Templates(templates) => println!("oVirt from {}", templates.manifest().display()),
///     WhichEngine::Existing(_) => println!("there is no environment"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub enum WhichEngine {
    /// The suite puts a simulator into the engine's VM.
    Simulator,
    /// The VMs are made from templates that have oVirt, or get it from deploy scripts ([`TEMPLATES`]).
    Templates(OvirtTemplates),
    /// It is somewhere in the network ([`URL`](super::external::URL)), and the suite has no VMs.
    Existing(ExternalEngine),
}

/// A template repository from which oVirt itself is deployed. Its templates are called [`ENGINE_TEMPLATE`],
/// [`HOST_TEMPLATE`] and [`STORAGE_TEMPLATE`]; they are of Enterprise Linux, whatever its release, and have oVirt's packages in
/// them or find them where the environment serves packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OvirtTemplates {
    manifest: PathBuf,
    repos: Option<PathBuf>,
}

impl WhichEngine {
    /// What the environment variables say: the simulator, if they say nothing.
    ///
    /// # Errors
    /// [`Error::TwoEngines`] when they name templates and an engine that exists; as [`OvirtTemplates::read`].
    pub fn from_env() -> Result<Self> {
        let path = |name| env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
        let chosen = Self::chosen(path(TEMPLATES), ExternalEngine::from_env())?;
        match (chosen, path(REPOS)) {
            (Self::Templates(templates), Some(repos)) => {
                templates.with_repos(repos).map(Self::Templates)
            }
            (chosen, _) => Ok(chosen),
        }
    }

    fn chosen(templates: Option<PathBuf>, existing: Option<ExternalEngine>) -> Result<Self> {
        match (templates, existing) {
            (Some(_), Some(_)) => Err(Error::TwoEngines),
            (Some(manifest), None) => OvirtTemplates::read(manifest).map(Self::Templates),
            (None, Some(engine)) => Ok(Self::Existing(engine)),
            (None, None) => Ok(Self::Simulator),
        }
    }

    /// Whether the suite has to put the simulator into the engine's VM: nothing else ever does.
    pub fn is_simulated(&self) -> bool {
        matches!(self, Self::Simulator)
    }
}

impl OvirtTemplates {
    /// Those that this manifest lists.
    ///
    /// # Errors
    /// [`Error::NoTemplates`] when the manifest cannot be read, [`Error::MissingTemplates`] when it lacks one of the three.
    pub fn read(manifest: impl Into<PathBuf>) -> Result<Self> {
        let manifest = manifest.into();
        let repository = TemplateRepository::from_file(&manifest)
            .map_err(Box::new)
            .map_err(|source| Error::NoTemplates { manifest: manifest.clone(), source })?;
        let is_missing = |name: &&str| repository.get_by_name(name).is_err();
        let missing: Vec<&'static str> = [ENGINE_TEMPLATE, HOST_TEMPLATE, STORAGE_TEMPLATE]
            .into_iter()
            .filter(is_missing)
            .collect();
        if missing.is_empty() {
            return Ok(Self { manifest, repos: None });
        }
        let known = repository.templates().map(|template| template.name().to_owned()).collect();
        Err(Error::MissingTemplates { manifest, missing, known })
    }

    /// With packages for the machines in this directory.
    ///
    /// # Errors
    /// [`Error::NoRepos`] when it is no directory.
    pub fn with_repos(mut self, directory: impl Into<PathBuf>) -> Result<Self> {
        let directory = directory.into();
        if !directory.is_dir() {
            return Err(Error::NoRepos { directory });
        }
        self.repos = Some(directory);
        Ok(self)
    }

    /// Serves the packages that there are for the machines, for [`Suite::beside`](lago_test::Suite::beside).
    pub fn serve_packages(&self, prefix: &Prefix) -> Result<Option<RepoServer>, Failure> {
        let server = self.repos.as_deref().map(|dir| RepoServer::on_management(prefix, dir));
        Ok(server.transpose()?)
    }

    /// The manifest, for [`Suite::template_repository`](lago_test::Suite::template_repository).
    pub fn manifest(&self) -> &Path {
        &self.manifest
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    fn repository(names: &[&str]) -> (TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let version =
            serde_json::json!({"v1": {"source": "here", "handle": "x.qcow2", "timestamp": "1"}});
        let templates: serde_json::Map<String, serde_json::Value> = names
            .iter()
            .map(|&name| (name.to_owned(), serde_json::json!({"versions": version.clone()})))
            .collect();
        let manifest = serde_json::json!({
            "name": "el",
            "templates": templates,
            "sources": {"here": {"type": "file", "args": {"root": dir.path()}}},
        });
        let path = dir.path().join("repo.json");
        fs::write(&path, manifest.to_string()).unwrap();
        (dir, path)
    }

    fn existing() -> ExternalEngine {
        ExternalEngine::at("https://engine.example.com/ovirt-engine/api")
    }

    #[test]
    fn without_anything_the_engine_is_simulated() {
        assert!(WhichEngine::chosen(None, None).unwrap().is_simulated());
    }

    #[test]
    fn nothing_is_simulated_with_templates_or_an_engine_that_exists() {
        let (_dir, path) = repository(&["ovirt-engine", "ovirt-host", "ovirt-storage", "more"]);
        let engine = WhichEngine::chosen(Some(path.clone()), None).unwrap();
        assert!(!engine.is_simulated());
        assert!(
            matches!(&engine, WhichEngine::Templates(templates) if templates.manifest() == path)
        );
        assert!(!WhichEngine::chosen(None, Some(existing())).unwrap().is_simulated());
    }

    #[test]
    fn both_at_once_are_refused() {
        let (_dir, path) = repository(&["ovirt-engine", "ovirt-host", "ovirt-storage"]);
        let error = WhichEngine::chosen(Some(path), Some(existing())).unwrap_err();
        assert!(matches!(error, Error::TwoEngines), "{error}");
    }

    #[test]
    fn templates_that_are_missing_are_named_all_of_them() {
        let (_dir, path) = repository(&["ovirt-engine", "ovirt"]);
        let error = OvirtTemplates::read(&path).unwrap_err().to_string();
        let said = "has no template ovirt-host, ovirt-storage; it has ovirt-engine, ovirt";
        assert!(error.contains(said) && error.contains("repo.json"), "{error}");
    }

    #[test]
    fn packages_are_in_a_directory() {
        let (dir, path) = repository(&["ovirt-engine", "ovirt-host", "ovirt-storage"]);
        let templates = OvirtTemplates::read(&path).unwrap();
        templates.clone().with_repos(dir.path()).unwrap();
        let error = templates.with_repos(&path).unwrap_err().to_string();
        assert!(error.contains("LAGO_OVIRT_REPOS") && error.contains("repo.json"), "{error}");
    }

    #[test]
    fn a_manifest_that_is_not_there_is_named() {
        let error = OvirtTemplates::read("/nowhere/repo.json").unwrap_err().to_string();
        let said = "LAGO_OVIRT_TEMPLATES names /nowhere/repo.json, which is no template repository";
        assert_eq!(error, said);
    }
}
