//! Makes a number of the sources that decide what a guest finds when it has started, so that environments in the cache
//! that other sources have made are not taken for today's.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};

/// The init file and its plan, the guests' identity, their disks and devices, and their networks. Not all of these files
/// decide on something; an environment that boots once more costs less than one that is not what it seems.
const SOURCES: [&str; 5] = ["src/spec", "src/sysprep", "src/prefix", "src/virt", "src/deploy.rs"];

fn main() -> io::Result<()> {
    let mut hasher = DefaultHasher::new();
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
        for file in files(Path::new(source))? {
            fs::read(file)?.hash(&mut hasher);
        }
    }
    println!("cargo::rustc-env=LAGO_GUEST_SOURCES={:016x}", hasher.finish());
    Ok(())
}

/// A file, or all files below a directory, always in the same order. What only tests read decides on nothing.
fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path()));
    let mut entries = entries.collect::<io::Result<Vec<_>>>()?;
    entries.retain(|entry| {
        entry.file_stem().is_none_or(|name| name != "tests" && name != "snapshots")
    });
    entries.sort();
    let below = entries.iter().map(|entry| files(entry)).collect::<io::Result<Vec<_>>>()?;
    Ok(below.into_iter().flatten().collect())
}
