//! The directory in which built images lie, which is a template repository as well.

use super::recipe::Recipe;
use anyhow::{Context, Result, bail};
use std::env;
use std::fs::{self, File, Permissions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Built images.
pub(super) struct Cache {
    dir: PathBuf,
}

impl Cache {
    /// `$LAGO_IMAGES_DIR`, else `lago/images` in the user's cache directory.
    pub(super) fn locate() -> Result<Self> {
        let dir = if let Some(dir) = variable("LAGO_IMAGES_DIR") {
            dir
        } else if let Some(cache) = variable("XDG_CACHE_HOME") {
            cache.join("lago/images")
        } else if let Some(home) = variable("HOME") {
            home.join(".cache/lago/images")
        } else {
            bail!("no directory for images: set LAGO_IMAGES_DIR, XDG_CACHE_HOME or HOME");
        };
        fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
        let dir = dir.canonicalize().with_context(|| format!("resolving {}", dir.display()))?;
        Ok(Self { dir })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the image of this recipe lies, or will.
    pub(super) fn image(&self, recipe: &Recipe) -> PathBuf {
        self.dir.join(format!("{}-{}.qcow2", recipe.name, recipe.hash))
    }

    /// Where a tar file lies that was built together with the image.
    pub(super) fn artifact(&self, recipe: &Recipe, name: &str) -> PathBuf {
        self.dir.join(format!("{}-{name}-{}.tar", recipe.name, recipe.hash))
    }

    /// The manifest of whichever checkout built last.
    pub(super) fn manifest(&self) -> PathBuf {
        self.dir.join("repo.json")
    }

    /// Keeps other builders out until the result is dropped. Waits for one that is at work.
    pub(super) fn lock(&self) -> Result<File> {
        let path = self.dir.join(".lock");
        let file = File::create(&path).with_context(|| format!("opening {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                println!("images: waiting for another build to release {}", path.display());
                file.lock().with_context(|| format!("locking {}", path.display()))?;
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("locking {}", path.display()));
            }
        }
        Ok(file)
    }

    /// Makes `built` visible as `name`, complete and readable by its owner only.
    pub(super) fn publish(&self, built: &Path, name: &str) -> Result<PathBuf> {
        let path = self.dir.join(name);
        let publish = || {
            fs::set_permissions(built, Permissions::from_mode(0o600))?;
            File::open(built)?.sync_all()?;
            fs::rename(built, &path)
        };
        publish().with_context(|| format!("moving {} to {}", built.display(), path.display()))?;
        Ok(path)
    }

    /// Writes a file beside the images.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> Result<()> {
        write(&self.dir.join(name), content)
    }
}

/// The manifest of this checkout, in its target directory, where the tests of this checkout find it too.
pub(super) fn checkout_manifest() -> Result<PathBuf> {
    let program = env::current_exe().context("finding this program")?;
    let target = program.ancestors().nth(2).context("cargo puts programs into target/*")?;
    let dir = target.join("lago/images");
    fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
    Ok(dir.join("repo.json"))
}

/// Writes a file so that a reader sees the old one or the new one, never a part. It is readable by its owner only.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<()> {
    let dir = path.parent().context("a file is in a directory")?;
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok::<_, anyhow::Error>(())
    };
    write().with_context(|| format!("writing {}", path.display()))
}

fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
