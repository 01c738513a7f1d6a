//! One repository of the newest packages of several: what Lago called `merge_repos`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::layout::{link_or_copy, put_in_place};
use super::package::{Family, Package, SourceRepo, newest};
use super::{RepoError, Result, apt, yum};

/// Makes one repository in `output` of the newest version of each package; of the same version in several repositories that
/// of the first. What was in `output` before is replaced in one step, so it can be served meanwhile. The files are links to
/// those of the sources, where that is possible.
///
/// # Errors
/// When a package cannot be read, or the repository not be indexed; then `output` is as before.
pub fn merge(family: Family, sources: &[SourceRepo], output: &Path) -> Result<Vec<Package>> {
    let parent = output.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(RepoError::io("make", parent))?;
    let new = tempfile::Builder::new()
        .prefix(".merge-")
        .tempdir_in(parent)
        .map_err(RepoError::io("make a directory in", parent))?;
    // The guests get it from a web server that runs as the same user; others on this machine may read it as well.
    fs::set_permissions(new.path(), Permissions::from_mode(0o755))
        .map_err(RepoError::io("open", new.path()))?;

    let all =
        sources.iter().flat_map(|repo| repo.packages.iter().map(move |package| (repo, package)));
    let chosen = newest(all, |(_, package)| *package);
    let mut merged = Vec::with_capacity(chosen.len());
    for (repo, package) in chosen {
        let name = package.file.file_name().unwrap_or(package.file.as_os_str());
        link_or_copy(&package.path_in(&repo.dir), &new.path().join(name))?;
        merged.push(Package { file: name.into(), ..package.clone() });
    }
    match family {
        Family::Yum => yum::index(new.path())?,
        Family::Apt => apt::index(new.path())?,
    }
    put_in_place(new.path(), output)?;
    Ok(merged)
}

/// What is in a directory with packages that somebody has built, whether it is a repository or not.
pub fn scan(family: Family, dir: &Path) -> Result<SourceRepo> {
    fs::read_dir(dir).map_err(RepoError::io("read", dir))?;
    match family {
        Family::Yum => yum::scan(dir),
        Family::Apt => apt::scan(dir),
    }
}
