//! A recipe: the directory `fixtures/images/<name>`, and what all recipes share.

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// How an image is made.
pub(super) struct Recipe {
    pub(super) name: String,
    /// The first twelve digits of the hash over all files of the recipe. Packages are the newest of the suite on the
    /// day of the build: they do not enter the hash.
    pub(super) hash: String,
    /// Where the script is that assembles the image: in its own directory, or in that of the recipe that it adds to.
    pub(super) dir: PathBuf,
    /// The Debian release that the packages come from.
    pub(super) suite: String,
    /// What mmdebstrap is told: variant, packages, hooks.
    pub(super) mmdebstrap: Vec<String>,
}

impl Recipe {
    pub(super) fn read(name: &str) -> Result<Self> {
        let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/images");
        let recipes = recipes
            .canonicalize()
            .with_context(|| format!("the recipes are not at {}", recipes.display()))?;
        let common = recipes.join("common");
        let own = recipes.join(name);
        let base = base(&own, &recipes)?;
        let dir = base.clone().unwrap_or_else(|| own.clone());
        let dirs: Vec<&Path> = [&common, &own].into_iter().chain(&base).map(|dir| &**dir).collect();
        let hash = hash_of(&dirs)?;
        let suite = lines(&common.join("suite"))?.concat();
        let mut mmdebstrap = Vec::new();
        for dir in base.iter().chain([&own]) {
            mmdebstrap.extend(lines(&dir.join("mmdebstrap.args"))?);
        }
        Ok(Self { name: name.to_owned(), hash, dir, suite, mmdebstrap })
    }
}

/// The recipe that this one adds packages to, as its file `base` says.
fn base(own: &Path, recipes: &Path) -> Result<Option<PathBuf>> {
    let path = own.join("base");
    if !path.exists() {
        return Ok(None);
    }
    Ok(Some(recipes.join(lines(&path)?.concat())))
}

/// The lines of a file without comments and empty lines.
fn lines(path: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let wanted =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(wanted.map(str::to_owned).collect())
}

fn hash_of(dirs: &[&Path]) -> Result<String> {
    let mut hash = Sha256::new();
    for dir in dirs {
        add_dir(&mut hash, dir, dir).with_context(|| format!("reading {}", dir.display()))?;
    }
    Ok(format!("{:x}", hash.finalize())[..12].to_owned())
}

/// Adds every file below `dir`: its path from `root`, whether it is executable, and its bytes or the link's target.
fn add_dir(hash: &mut Sha256, root: &Path, dir: &Path) -> Result<()> {
    let mut paths =
        fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        let metadata = path.symlink_metadata()?;
        if metadata.is_dir() {
            add_dir(hash, root, &path)?;
            continue;
        }
        let (kind, content) = if metadata.is_symlink() {
            ("link", fs::read_link(&path)?.as_os_str().as_bytes().to_vec())
        } else if metadata.permissions().mode() & 0o111 == 0 {
            ("file", fs::read(&path)?)
        } else {
            ("program", fs::read(&path)?)
        };
        let relative = path.strip_prefix(root)?;
        hash.update(format!("{kind} {} {}\n", relative.display(), content.len()));
        hash.update(content);
    }
    Ok(())
}
