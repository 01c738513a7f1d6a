use std::env;
use std::path::{Path, PathBuf};

use lago::templates::TemplateRepository;

use crate::place::target;

/// lago's setting for where templates are listed; `cargo xtask test` sets it.
const VARIABLE: &str = "LAGO_TEMPLATE_REPO_PATH";

/// The manifest of the repository that lists the images of the fixtures: of this checkout's recipes, or else of those from
/// which images were built last.
///
/// # Panics
/// When they have not been built.
pub fn repository_manifest() -> PathBuf {
    let path = env::var_os(VARIABLE).map(PathBuf::from);
    let path = path.or_else(of_this_checkout).unwrap_or_else(cached);
    assert!(
        path.is_file(),
        "there is no template repository {}; build the images with: cargo xtask images",
        path.display()
    );
    path
}

/// The repository that lists the images of the fixtures.
pub fn repository() -> TemplateRepository {
    TemplateRepository::from_file(&repository_manifest()).expect("the repository's manifest reads")
}

/// Where `cargo xtask images` of this checkout writes.
fn of_this_checkout() -> Option<PathBuf> {
    Some(target().join("lago/images/repo.json")).filter(|path| path.is_file())
}

/// Where `cargo xtask images` of any checkout writes.
fn cached() -> PathBuf {
    let user = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || env::home_dir().expect("the user has a home directory").join(".cache");
    user.unwrap_or_else(home).join(Path::new("lago/images/repo.json"))
}
