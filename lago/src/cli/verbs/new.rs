//! `lago new`: a crate with a suite, an init file and files for CI, which passes as it is.

mod files;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};

use crate::cli::context::Context;
use crate::constants::VERSION;
use files::{FILES, Values};

/// The template of a new suite, if a repository of the settings has it: it boots in seconds under emulation.
const SMALL_TEMPLATE: &str = "mini";

/// The template otherwise, from the repository that comes with lago.
const PUBLIC_TEMPLATE: &str = "debian-12";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The directory to make; its last component is the name of the suite: letters, digits, `_` and `-`.
    #[arg(value_name = "NAME")]
    path: PathBuf,

    /// The template of both VMs; without it, `mini` if a template repository of the settings has it, and `debian-12` otherwise.
    #[arg(long, value_name = "NAME")]
    template: Option<String>,

    /// The directory of the crate lago-test, instead of a version of it; without it, the one beside which this program was built,
    /// as long as it is there.
    #[arg(long, value_name = "DIR")]
    lago_test: Option<PathBuf>,
}

impl Arguments {
    pub(in crate::cli) fn run(self) -> anyhow::Result<()> {
        let name = suite_name(&self.path)?;
        let template = match self.template {
            Some(template) => template,
            None => default_template()?,
        };
        let lago_test = dependency(self.lago_test)?;
        let memory = if template == SMALL_TEMPLATE { 192 } else { 512 };
        write(
            &self.path,
            &Values { name: &name, template: &template, lago_test: &lago_test, memory },
        )?;
        tracing::info!(
            "made {}, with VMs from the template `{template}`; `cargo test` in it runs the suite, its README.md says how to go on",
            self.path.display()
        );
        Ok(())
    }
}

/// The last component of the directory, if it can be the name of a crate and of a suite.
fn suite_name(path: &Path) -> anyhow::Result<String> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    ensure!(
        name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(is_allowed),
        "`{}` does not end in a name for a suite: it begins with a letter and has letters, digits, `_` and `-`",
        path.display()
    );
    // Cargo knows them as something else.
    ensure!(
        !["test", "core", "std", "alloc", "proc-macro"].contains(&name),
        "`{name}` is a name of Rust's own; choose another"
    );
    Ok(name.to_owned())
}

/// What is quickest among the templates that there are.
fn default_template() -> anyhow::Result<String> {
    let repositories = Context::template_repositories()?;
    let has_small =
        repositories.iter().any(|repository| repository.get_by_name(SMALL_TEMPLATE).is_ok());
    Ok(if has_small { SMALL_TEMPLATE } else { PUBLIC_TEMPLATE }.to_owned())
}

/// The dependency on lago-test, as `Cargo.toml` has it.
fn dependency(named: Option<PathBuf>) -> anyhow::Result<String> {
    let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("lago-test");
    let Some(path) = named.or_else(|| is_lago_test(&built_from).then_some(built_from)) else {
        return Ok(toml_string(VERSION));
    };
    let path =
        fs::canonicalize(&path).with_context(|| format!("cannot find {}", path.display()))?;
    ensure!(is_lago_test(&path), "{} is not the crate lago-test", path.display());
    let path = path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?;
    Ok(format!("{{ path = {} }}", toml_string(path)))
}

fn is_lago_test(path: &Path) -> bool {
    fs::read_to_string(path.join("Cargo.toml"))
        .is_ok_and(|text| text.contains("name = \"lago-test\""))
}

/// A basic string of TOML (<https://toml.io/en/v1.0.0#string>), whose escapes are those of JSON.
fn toml_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Writes all files, or none.
fn write(path: &Path, values: &Values<'_>) -> anyhow::Result<()> {
    if path.exists() {
        bail!("{} exists already; choose another name, or remove it", path.display());
    }
    let parent =
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let unfinished = tempfile::Builder::new()
        .prefix(".lago-new-")
        .tempdir_in(parent)
        .with_context(|| format!("cannot make a directory in {}", parent.display()))?;
    let root = unfinished.path().join(values.name);
    for file in FILES {
        let file_path = root.join(values.fill(file.path));
        let directory = file_path.parent().unwrap_or(&root);
        fs::create_dir_all(directory)
            .and_then(|()| fs::write(&file_path, values.fill(file.content)))
            .with_context(|| format!("cannot write {}", file_path.display()))?;
    }
    fs::rename(&root, path).with_context(|| format!("cannot make {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_for_a_crate_and_a_suite() {
        assert_eq!(suite_name(Path::new("/tmp/web-tests")).unwrap(), "web-tests");
        for wrong in ["", "..", "1st", "a b", "ä", "a.b", "test"] {
            let error = suite_name(Path::new(wrong)).unwrap_err().to_string();
            assert!(error.contains("name"), "{error}");
        }
    }

    #[test]
    fn an_existing_directory_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let values = Values { name: "web", template: "mini", lago_test: "\"0.1\"", memory: 192 };
        let error = write(directory.path(), &values).unwrap_err().to_string();
        assert!(error.contains("exists already"), "{error}");
        let path = directory.path().join("web");
        write(&path, &values).unwrap();
        assert!(path.join("tests/web.rs").is_file());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "something is left");
    }

    #[test]
    fn a_path_is_written_as_toml_has_it() {
        assert_eq!(toml_string("/a \"b\"\\c"), r#""/a \"b\"\\c""#);
    }
}
