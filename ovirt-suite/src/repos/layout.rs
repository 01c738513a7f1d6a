//! Files in repositories.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{RepoError, Result};

/// A file that an index names. It has to be in the index's repository.
pub(super) fn inside(index: &Path, file: &str) -> Result<PathBuf> {
    let path = Path::new(file.strip_prefix("./").unwrap_or(file));
    let normal = path.components().all(|part| matches!(part, Component::Normal(_)));
    if !normal || path.as_os_str().is_empty() {
        return Err(RepoError::Escapes { index: index.to_owned(), file: file.to_owned() });
    }
    Ok(path.to_owned())
}

/// The same file at another place as well: a link if that is possible, and a copy otherwise.
pub(super) fn link_or_copy(from: &Path, to: &Path) -> Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            fs::copy(from, to).map(drop).map_err(RepoError::io("copy", from))
        }
        linked => linked.map_err(RepoError::io("link", from)),
    }
}

/// Puts a directory in the place of another, which is there or not, in one step: whoever reads there meanwhile sees the one
/// or the other.
pub(super) fn put_in_place(new: &Path, place: &Path) -> Result<()> {
    if !place.exists() {
        return fs::rename(new, place).map_err(RepoError::io("make", place));
    }
    renameat_with(CWD, new, CWD, place, RenameFlags::EXCHANGE)
        .map_err(io::Error::from)
        .map_err(RepoError::io("replace", place))?;
    // Under this name is now what was in the place before.
    fs::remove_dir_all(new).map_err(RepoError::io("remove", new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_cannot_lead_out_of_its_repository() {
        let index = Path::new("repodata/primary.xml");
        for file in ["../secret.rpm", "/etc/passwd", "a/../../b.rpm", ""] {
            assert!(matches!(inside(index, file), Err(RepoError::Escapes { .. })), "{file}");
        }
        assert_eq!(inside(index, "./Packages/a.rpm").unwrap(), Path::new("Packages/a.rpm"));
    }

    #[test]
    fn a_directory_takes_the_place_of_another() {
        let dir = tempfile::tempdir().unwrap();
        let [place, new] = ["place", "new"].map(|name| dir.path().join(name));
        for content in ["first", "second"] {
            fs::create_dir(&new).unwrap();
            fs::write(new.join("file"), content).unwrap();
            put_in_place(&new, &place).unwrap();
            assert_eq!(fs::read_to_string(place.join("file")).unwrap(), content);
            assert!(!new.exists());
        }
    }
}
