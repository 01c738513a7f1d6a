//! Repositories of RPMs, by dnf and `createrepo_c`.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ini::Ini;
use lago::utils::{HostCommand, parallel};

use super::package::{Package, SourceRepo, newest};
use super::verify::verify;
use super::{REPO_LIMIT, RepoError, Result, primary};

const DNF_REMEDY: &str = "install the packages dnf and dnf-plugins-core";
const CREATEREPO_REMEDY: &str = "install the package createrepo_c (createrepo-c on Debian)";

/// A configuration of dnf or yum whose repositories are kept on this machine: what Lago called `reposync-yum-config`.
#[derive(Debug, Clone)]
pub struct YumConfig {
    path: PathBuf,
    release: Option<String>,
}

impl YumConfig {
    /// A file of the form of `dnf.conf`, with a section for each repository (`man dnf.conf`).
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), release: None }
    }

    /// What `$releasever` stands for in it.
    pub fn release(mut self, release: impl Into<String>) -> Self {
        self.release = Some(release.into());
        self
    }

    /// Brings the newest packages of each repository to a directory of its own in `dir`, all repositories at the same time.
    /// Where that fails and what is there from earlier is complete, that is taken.
    pub(super) fn sync(&self, dir: &Path) -> Result<Vec<(SourceRepo, Option<RepoError>)>> {
        let synced = parallel(self.repositories()?, |id| self.sync_one(dir, &id));
        synced.map_err(|failures| failures.first)
    }

    /// What is in `dir` from earlier.
    pub(super) fn kept(&self, dir: &Path) -> Result<Vec<SourceRepo>> {
        self.repositories()?.iter().map(|id| kept(dir, id)).collect()
    }

    /// The names of the repositories that are enabled.
    fn repositories(&self) -> Result<Vec<String>> {
        let content = Ini::load_from_file(&self.path)
            .map_err(|error| RepoError::index(&self.path, &error))?;
        let enabled = |id: &&str| {
            let value = content.get_from(Some(*id), "enabled").unwrap_or("1").to_ascii_lowercase();
            *id != "main" && ["1", "yes", "true", "on"].contains(&value.trim())
        };
        let ids: Vec<_> = content.sections().flatten().filter(enabled).map(str::to_owned).collect();
        if ids.is_empty() {
            return Err(RepoError::NoRepository { path: self.path.clone() });
        }
        Ok(ids)
    }

    fn sync_one(&self, dir: &Path, id: &str) -> Result<(SourceRepo, Option<RepoError>)> {
        let place = dir.join(id);
        let Err(failed) = self.reposync(dir, id) else {
            note_left_out(dir, id)?;
            return Ok((kept(dir, id)?, None));
        };
        let earlier = match kept(dir, id) {
            Ok(earlier) => earlier,
            Err(missing) => {
                let (failed, missing) = (Box::new(failed), Box::new(missing));
                return Err(RepoError::NothingEarlier { failed, dir: place, missing });
            }
        };
        let problems = verify(&place, &earlier.packages);
        if problems.is_empty() {
            return Ok((earlier, Some(failed)));
        }
        Err(RepoError::Incomplete { failed: Box::new(failed), dir: place, problems })
    }

    fn reposync(&self, dir: &Path, id: &str) -> Result<()> {
        let own = own_dir(dir, id);
        fs::create_dir_all(&own).map_err(RepoError::io("make", &own))?;
        let option = |name: &str, path: &Path| format!("--setopt={name}={}", path.display());
        let mut command = HostCommand::new("dnf")
            .env("LC_ALL", "C")
            .arg("--config")
            .arg(&self.path)
            // Nothing of this machine's own configuration, nor of its caches.
            .arg(option("reposdir", &own.join("no-further-repositories")))
            .args(["cachedir", "logdir", "persistdir"].map(|name| option(name, &own)))
            .args(["--disablerepo=*", &format!("--enablerepo={id}"), "--assumeyes"]);
        if let Some(release) = &self.release {
            command = command.arg(format!("--releasever={release}"));
        }
        command
            .args([
                "reposync",
                "--download-metadata",
                "--newest-only",
                "--delete",
                "--download-path",
            ])
            .arg(dir)
            .limit(REPO_LIMIT)
            .remedy(DNF_REMEDY)
            .run()
            .map_err(RepoError::tool(format!(
                "bring the repository `{id}` to {}",
                dir.display()
            )))?;
        Ok(())
    }
}

/// Where dnf keeps what it needs for itself.
fn own_dir(dir: &Path, id: &str) -> PathBuf {
    dir.join(".dnf").join(id)
}

/// The list of those packages, by name and architecture, that the configuration leaves out (`excludepkgs`, `includepkgs`).
fn left_out_list(dir: &Path, id: &str) -> PathBuf {
    own_dir(dir, id).join("left-out")
}

fn line(package: &Package) -> String {
    format!("{}.{}", package.name, package.arch)
}

/// Notes what dnf did not bring although all went well.
fn note_left_out(dir: &Path, id: &str) -> Result<()> {
    let place = dir.join(id);
    let newest = newest(primary::read(&place)?, |package| package);
    let left_out = newest.iter().filter(|package| !package.path_in(&place).exists());
    let list: Vec<_> = left_out.map(line).collect();
    let path = left_out_list(dir, id);
    fs::write(&path, list.join("\n")).map_err(RepoError::io("write", &path))
}

/// The newest of what the metadata of a repository list, without what is left out.
fn kept(dir: &Path, id: &str) -> Result<SourceRepo> {
    let path = left_out_list(dir, id);
    let left_out = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        list => list.map_err(RepoError::io("read", &path))?,
    };
    let left_out: HashSet<&str> = left_out.lines().collect();
    let place = dir.join(id);
    let mut packages = newest(primary::read(&place)?, |package| package);
    packages.retain(|package| !left_out.contains(line(package).as_str()));
    Ok(SourceRepo { dir: place, packages })
}

/// The packages in a directory of somebody else's, in which nothing is changed.
pub(super) fn scan(dir: &Path) -> Result<SourceRepo> {
    let index = tempfile::tempdir().map_err(RepoError::io("make a directory for", dir))?;
    createrepo(dir, Some(index.path()))?;
    Ok(SourceRepo { dir: dir.to_owned(), packages: primary::read(index.path())? })
}

/// Makes a directory with RPMs a repository. The metadata are compressed as the oldest yum reads them.
pub(super) fn index(dir: &Path) -> Result<()> {
    createrepo(dir, None)
}

fn createrepo(dir: &Path, output: Option<&Path>) -> Result<()> {
    let mut command = HostCommand::new("createrepo_c").args([
        "--quiet",
        "--no-database",
        "--checksum=sha256",
        "--general-compress-type=gz",
    ]);
    if let Some(output) = output {
        command = command.arg("--outputdir").arg(output);
    }
    command
        .arg(dir)
        .limit(REPO_LIMIT)
        .remedy(CREATEREPO_REMEDY)
        .run()
        .map_err(RepoError::tool(format!("index the packages in {}", dir.display())))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repositories(text: &str) -> Result<Vec<String>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        YumConfig::new(file.path()).repositories()
    }

    #[test]
    fn the_repositories_that_are_enabled_are_found() {
        let text = "[main]\ngpgcheck=1\n[base]\nbaseurl=http://x/base\n[debug]\nenabled = 0\n[extra]\nenabled=True\n";
        assert_eq!(repositories(text).unwrap(), ["base", "extra"]);
    }

    #[test]
    fn a_configuration_without_repositories_is_a_mistake() {
        let error = repositories("[main]\ngpgcheck=1\n").unwrap_err().to_string();
        assert!(error.ends_with("names no repository that is enabled"), "{error}");
    }
}
