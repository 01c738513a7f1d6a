//! The prefixes below a directory that a run has left events in.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::files::Files;

/// How far below a directory prefixes are looked for: `target/lago` holds `<suite>/<prefix>`.
const DEPTH: usize = 2;

/// The prefixes with events at or below a directory, or that of a file of events, in the order of their paths.
pub(crate) fn prefixes_below(path: &Path) -> io::Result<Vec<PathBuf>> {
    if path.is_file() {
        let prefix = path.parent().filter(|at| !at.as_os_str().is_empty());
        return Ok(vec![prefix.unwrap_or(Path::new(".")).to_owned()]);
    }
    let mut found = Vec::new();
    collect(path, DEPTH, &mut found)?;
    found.sort();
    Ok(found)
}

fn collect(directory: &Path, depth: usize, found: &mut Vec<PathBuf>) -> io::Result<()> {
    if Files::events_of(directory).is_file() {
        // What is below is its own: its forks have no events.
        found.push(directory.to_owned());
        return Ok(());
    }
    if depth == 0 {
        return Ok(());
    }
    let entries = match fs::read_dir(directory) {
        // Another process may have removed it since it was listed.
        Err(error) if error.kind() == io::ErrorKind::NotFound && depth < DEPTH => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        // A link may lead anywhere, and the prefix that it leads to is found by its own name.
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), depth - 1, found)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_a_workdir_and_what_holds_workdirs() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        for prefix in ["web/default", "api/default", "api/other", "api/default/forks/left"] {
            fs::create_dir_all(at(prefix)).unwrap();
        }
        for prefix in ["web/default", "api/default", "api/default/forks/left"] {
            fs::write(Files::events_of(&at(prefix)), "").unwrap();
        }
        let below = |path: &Path| prefixes_below(path).unwrap();
        assert_eq!(below(root.path()), [at("api/default"), at("web/default")]);
        assert_eq!(below(&at("api")), [at("api/default")]);
        assert_eq!(below(&at("web/default")), [at("web/default")]);
        assert_eq!(below(&at("web/default/events.jsonl")), [at("web/default")]);
        assert_eq!(below(&at("api/other")), Vec::<PathBuf>::new());
        assert!(prefixes_below(&at("none")).is_err());
    }
}
