//! Files that are either written completely or not at all, and errors that name the file.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The mode of files that hold keys, passwords or disks: for their owner only.
pub const PRIVATE_MODE: u32 = 0o600;

/// A file or directory that could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refused.
    #[error("cannot {action} {}: {source}{}", path.display(), advice(source))]
    Io {
        /// What was being done.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The content is not what it should be.
    #[error("{} is damaged or not what lago wrote: {source}", path.display())]
    Json {
        /// Which file.
        path: PathBuf,
        /// Where in it and why.
        source: serde_json::Error,
    },
}

impl FileError {
    /// For `map_err`: the error of doing `action` with `path`.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }

    /// The kind of the system's error.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Io { source, .. } => source.kind(),
            Self::Json { .. } => io::ErrorKind::InvalidData,
        }
    }
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull => "; free some space there and try again",
        io::ErrorKind::QuotaExceeded => "; the user's quota is used up",
        io::ErrorKind::PermissionDenied => "; look at its owner and mode",
        io::ErrorKind::ReadOnlyFilesystem => "; choose a directory that can be written to",
        _ => "",
    }
}

/// Replaces the file `path` by `content` with exactly the mode `mode`: whoever reads it finds the old or the new content,
/// also after a power cut.
pub fn write_file(path: &Path, content: &[u8], mode: u32) -> Result<(), FileError> {
    replace(path, content, mode).map_err(FileError::io("write", path))
}

fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    let permissions = Permissions::from_mode(mode);
    let mut file = tempfile::Builder::new()
        .prefix(".new-")
        .permissions(permissions.clone())
        .tempfile_in(dir)?;
    // The umask has been applied to the mode above.
    file.as_file().set_permissions(permissions)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(dir)?.sync_all()
}

/// Writes `value` as indented JSON, completely or not at all, readable for the owner only.
#[doc(alias = "json_dump")]
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), FileError> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|source| FileError::Json { path: path.to_owned(), source })?;
    text.push(b'\n');
    write_file(path, &text, PRIVATE_MODE)
}

/// Reads what [`write_json`] wrote.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, FileError> {
    let content = fs::read(path).map_err(FileError::io("read", path))?;
    serde_json::from_slice(&content)
        .map_err(|source| FileError::Json { path: path.to_owned(), source })
}

/// Reads a text file.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    fs::read_to_string(path).map_err(FileError::io("read", path))
}

/// Whether `path` names the open file: it may have been removed, and another one made in its place.
pub(crate) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (open.dev(), open.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Creates a directory and those above it, the new ones with mode 0700, unless they exist.
pub fn create_dir(path: &Path) -> Result<(), FileError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(FileError::io("create", path))
}

/// Lets other users pass through a directory of ours to what they may read in it, without seeing what else there is: QEMU
/// is another user where libvirt is the machine's.
pub(crate) fn let_through(path: &Path) -> Result<(), FileError> {
    const PASS: u32 = 0o011;
    let change = || {
        let permissions = fs::metadata(path)?.permissions();
        if permissions.mode() & PASS == PASS {
            return Ok(());
        }
        fs::set_permissions(path, Permissions::from_mode(permissions.mode() | PASS))
    };
    change().map_err(FileError::io("change the mode of", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_file_has_its_content_and_mode_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        fs::write(&path, "old").unwrap();
        for wanted in [0o600, 0o644, 0o666] {
            write_file(&path, b"new", wanted).unwrap();
            assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"new".to_vec(), wanted));
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn json_comes_back_and_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plan.json");
        write_json(&path, &["a", "b"]).unwrap();
        assert_eq!(read_json::<Vec<String>>(&path).unwrap(), ["a", "b"]);
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn errors_name_the_file_and_the_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plan.json");
        let missing = read_json::<u8>(&path).unwrap_err();
        assert!(
            missing
                .to_string()
                .starts_with(&format!("cannot read {}: No such file", path.display()))
        );
        fs::write(&path, "{\n oops").unwrap();
        let damaged = read_json::<u8>(&path).unwrap_err().to_string();
        assert!(damaged.contains(path.to_str().unwrap()), "{damaged}");
        let nowhere = write_file(&dir.path().join("no/where"), b"", 0o600).unwrap_err();
        assert_eq!(nowhere.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_directory_lets_others_through_and_shows_them_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        create_dir(&path).unwrap();
        let_through(&path).unwrap();
        assert_eq!(mode(&path), 0o711);
    }

    #[test]
    fn directories_are_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        create_dir(&path).unwrap();
        create_dir(&path).unwrap();
        assert_eq!((mode(&path), mode(&dir.path().join("a"))), (0o700, 0o700));
    }
}
