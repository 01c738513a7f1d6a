//! Finding templates: which manifests there are, and which of them has a template.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::error::TemplateError;
use super::origin::ManifestOrigin;
use super::repos::TemplateRepos;
use super::repository::{TemplateRepository, TemplateVersion};
use crate::config::Config;
use crate::utils::{FileError, read_text};

/// How deep manifests may lie in a directory.
const MAX_DEPTH: usize = 8;

/// Lago's name for the manifest of a repository on a web server.
const METADATA_NAME: &str = "repo.metadata";

/// All repositories of the settings, in the order in which templates are looked for: those of `template_repo_path`, those
/// in the directory `template_repos`, where `lago template-repo` and `lago template` put them, and the one that is part of
/// lago.
///
/// # Errors
/// When one that the settings name cannot be read. What is wrong with one that was added is only logged.
pub fn repositories(config: &Config) -> Result<Vec<TemplateRepository>, TemplateError> {
    let mut repositories = read_repositories(&config.template_repo_path)?;
    if let Some(directory) = &config.template_repos {
        for manifest in TemplateRepos::new(directory).manifests()? {
            match read(&manifest) {
                Ok(repository) => repositories.push(repository),
                Err(error) => tracing::warn!("{error}"),
            }
        }
    }
    repositories.push(TemplateRepository::shipped());
    Ok(repositories)
}

/// The version of the template `name`, or its newest one, in the first of `repositories` that has the template.
///
/// # Errors
/// When none has it: the templates that there are.
pub fn find_template<'a>(
    repositories: &'a [TemplateRepository],
    name: &str,
    version: Option<&str>,
) -> Result<&'a TemplateVersion, TemplateError> {
    let having = repositories.iter().find_map(|repository| repository.get_by_name(name).ok());
    let template = having.ok_or_else(|| TemplateError::NoTemplateAnywhere {
        name: name.to_owned(),
        repositories: repositories.iter().map(|repository| repository.name().to_owned()).collect(),
        known: repositories
            .iter()
            .flat_map(|repository| {
                repository.templates().map(|template| template.name().to_owned())
            })
            .collect(),
    })?;
    template.get_version(version)
}

/// The repositories of `paths`, each of which is a manifest, the address of one (`https://...`), or a directory with
/// manifests in it or below it.
pub fn read_repositories(paths: &[PathBuf]) -> Result<Vec<TemplateRepository>, TemplateError> {
    manifests(paths)?.iter().map(read).collect()
}

/// The repository `name` among `paths`, which are as for [`read_repositories`].
///
/// # Errors
/// When none has that name: those that there are. A manifest that cannot be read is logged, and no reason to fail.
pub fn find_repo_by_name(
    name: &str,
    paths: &[PathBuf],
) -> Result<TemplateRepository, TemplateError> {
    let mut known = Vec::new();
    for manifest in manifests(paths)? {
        match read(&manifest) {
            Ok(repository) if repository.name() == name => return Ok(repository),
            Ok(repository) => known.push(repository.name().to_owned()),
            Err(error) => tracing::warn!("{error}"),
        }
    }
    Err(TemplateError::NoRepository { name: name.to_owned(), known })
}

/// Reads a manifest from where it is.
pub(super) fn read(origin: &ManifestOrigin) -> Result<TemplateRepository, TemplateError> {
    match origin {
        ManifestOrigin::File(path) => TemplateRepository::from_file(path),
        ManifestOrigin::Checkout { path, .. } | ManifestOrigin::Fetched { path, .. } => {
            TemplateRepository::parse(&read_text(path)?, origin.clone())
        }
        ManifestOrigin::Url(url) => TemplateRepository::from_url(url.as_str()),
        ManifestOrigin::Shipped => Ok(TemplateRepository::shipped()),
    }
}

fn manifests(paths: &[PathBuf]) -> Result<Vec<ManifestOrigin>, TemplateError> {
    let mut found = Vec::new();
    for path in paths {
        if let Some(url) = path.to_str().filter(|text| is_url(text)) {
            found.push(ManifestOrigin::Url(super::transfer::Remote::parse(url)?.url().clone()));
        } else if path.is_dir() {
            // What was added there stays what came from elsewhere.
            found.extend(TemplateRepos::new(path).manifests()?);
        } else {
            found.push(ManifestOrigin::File(path.clone()));
        }
    }
    Ok(found)
}

/// Whether a text is the address of something on a web server rather than a path.
pub(crate) fn is_url(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

/// The manifests in a directory and below it, by Lago's convention: files that are called `*.json`, or `repo.metadata`, and
/// are not obviously something else. Hidden directories and links to directories are left alone.
pub(super) fn manifests_below(directory: &Path) -> Result<Vec<PathBuf>, FileError> {
    let mut found = Vec::new();
    collect(directory, MAX_DEPTH, &mut found)?;
    Ok(found)
}

fn collect(directory: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), FileError> {
    let list = || -> io::Result<Vec<fs::DirEntry>> { fs::read_dir(directory)?.collect() };
    let mut entries = list().map_err(FileError::io("list", directory))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let kind = entry.file_type().map_err(FileError::io("look at", &path))?;
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if kind.is_dir() && !hidden && depth > 0 {
            collect(&path, depth - 1, found)?;
        } else if path.is_file() && is_named_like_manifest(&path) && !is_other_json(&path) {
            found.push(path);
        }
    }
    Ok(())
}

fn is_named_like_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
        || path.file_name().is_some_and(|name| name == METADATA_NAME)
}

/// Whether a file is well-formed JSON that is no manifest, nor the beginning of one.
fn is_other_json(path: &Path) -> bool {
    let Ok(text) = fs::read(path) else { return false };
    match serde_json::from_slice::<Value>(&text) {
        Ok(Value::Object(map)) => !map.contains_key("templates") && !map.contains_key("sources"),
        Ok(_) => true,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn manifest(name: &str) -> String {
        json!({
            "name": name,
            "sources": {"disk": {"type": "file", "args": {"root": "images"}}},
            "templates": {"debian": {"versions": {
                "v1": {"source": "disk", "handle": "d1", "timestamp": 10},
            }}},
        })
        .to_string()
    }

    fn names(path: &Path) -> Vec<String> {
        let repositories = read_repositories(&[path.to_owned()]).unwrap();
        repositories.iter().map(|repository| repository.name().to_owned()).collect()
    }

    #[test]
    fn repositories_are_found_by_name_in_files_and_directories() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["home", "office"] {
            fs::write(dir.path().join(format!("{name}.json")), manifest(name)).unwrap();
        }
        fs::write(dir.path().join("broken.json"), "{").unwrap();
        fs::write(dir.path().join("notes.txt"), "").unwrap();
        let paths = [dir.path().to_owned()];
        assert_eq!(find_repo_by_name("office", &paths).unwrap().name(), "office");
        let file = [dir.path().join("home.json")];
        let found = find_repo_by_name("home", &file).unwrap();
        assert_eq!(found.origin().path(), Some(&*file[0]));
        let error = find_repo_by_name("attic", &paths).unwrap_err().to_string();
        assert_eq!(error, "there is no template repository `attic`; there are: home, office");
    }

    #[test]
    fn manifests_may_lie_deeper_and_other_files_beside_them() {
        let dir = tempfile::tempdir().unwrap();
        let sub = dir.path().join("a/b");
        fs::create_dir_all(&sub).unwrap();
        fs::create_dir(dir.path().join(".git")).unwrap();
        fs::write(sub.join("repo.json"), manifest("deep")).unwrap();
        fs::write(dir.path().join("repo.metadata"), manifest("web")).unwrap();
        fs::write(dir.path().join("package.json"), r#"{"name": "x"}"#).unwrap();
        fs::write(dir.path().join("list.json"), "[]").unwrap();
        fs::write(dir.path().join(".git/repo.json"), manifest("hidden")).unwrap();
        assert_eq!(names(dir.path()), ["deep", "web"]);
    }

    #[test]
    fn the_first_repository_that_has_a_template_counts() {
        let parse = |name: &str| {
            let origin = ManifestOrigin::File(format!("/{name}/repo.json").into());
            TemplateRepository::parse(&manifest(name), origin).unwrap()
        };
        let repositories = [parse("home"), parse("office")];
        let found = find_template(&repositories, "debian", None).unwrap();
        assert_eq!(found.name(), "home:debian:v1");
    }
}
