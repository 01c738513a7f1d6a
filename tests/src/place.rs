use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use lago::Prefix;
use lago::paths::Paths;

/// A test's own directory. Prefixes in it are destroyed when it is dropped, by a panic too.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
}

impl Place {
    /// An empty directory for the test of this name. What a killed run has left there is destroyed first.
    pub fn new(name: &str) -> Self {
        let place = Self { path: target().join("lago/system-tests").join(name) };
        place.clear().expect("what an earlier run has left can be removed");
        fs::create_dir_all(&place.path).expect("the test's directory can be made");
        place
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a prefix of this name goes.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Destroys the prefixes in it, one and two levels deep (a workdir has its prefixes inside), then all the rest.
    fn clear(&self) -> Result<(), String> {
        if !self.path.exists() {
            return Ok(());
        }
        let below = |path: &Path| -> Vec<PathBuf> {
            let entries = fs::read_dir(path).into_iter().flatten().flatten();
            entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
        };
        let near = below(&self.path);
        let far: Vec<PathBuf> = near.iter().flat_map(|path| below(path)).collect();
        let is_left = |path: &&PathBuf| {
            let paths = Paths::new(path.as_path());
            paths.is_prefix() || paths.unfinished().exists() || paths.host().is_dir()
        };
        // A prefix goes only after the forks that stand on it.
        let (forks, others): (Vec<_>, Vec<_>) =
            near.iter().chain(&far).filter(is_left).partition(|path| is_fork(path));
        forks.into_iter().chain(others).try_for_each(|path| destroy(path))?;
        fs::remove_dir_all(&self.path).map_err(|error| error.to_string())
    }
}

fn is_fork(path: &Path) -> bool {
    Prefix::open(path).is_ok_and(|prefix| prefix.record().origin.is_some())
}

/// Ends what runs in a prefix, in whatever state its directory is.
fn destroy(path: &Path) -> Result<(), String> {
    match Prefix::destroy_at(path) {
        Ok(()) => Ok(()),
        Err(error) => lago::host::Host::private(path.join("host"))
            .stop()
            .map_err(|second| format!("{error}; then {second}")),
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(error) = self.clear() {
            // A second panic would hide the first one.
            eprintln!("cannot clear {}: {error}", self.path.display());
        }
    }
}

/// The store of template images that all system tests share, which is not the user's.
pub fn store() -> PathBuf {
    target().join("lago/system-tests-store")
}

/// An init file of this package, by its name.
pub fn init_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("init-files").join(name)
}

/// The target directory: the test program lies in `<target>/<profile>/deps`.
///
/// # Panics
/// When it lies elsewhere.
pub fn target() -> PathBuf {
    let program = env::current_exe().expect("the test program's path is known");
    let target = program.ancestors().nth(3).expect("cargo puts test programs into target/*/deps");
    target.to_owned()
}
