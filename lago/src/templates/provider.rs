//! Where images come from.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use super::digest::Digest;
use super::error::TemplateError;
use super::sink::ImageSink;
use crate::utils::{FileError, read_json, read_text};

/// What is known about a template, such as its root password or its distribution.
pub type Metadata = serde_json::Map<String, serde_json::Value>;

/// A source of images. A handle is its name for one of them.
pub trait TemplateProvider: fmt::Debug + Send + Sync {
    /// The digest that the image must have.
    fn get_hash(&self, handle: &str) -> Result<Digest, TemplateError>;

    /// What is known about the image; nothing is a valid answer.
    fn get_metadata(&self, handle: &str) -> Result<Metadata, TemplateError>;

    /// Hands the image's bytes to `sink`, in order.
    fn download_image(&self, handle: &str, sink: &mut ImageSink) -> Result<(), TemplateError>;
}

/// A directory with images and, beside each, its digest (`.hash`) and metadata (`.metadata`).
#[derive(Debug, Clone)]
pub struct FileSystemTemplateProvider {
    root: PathBuf,
}

/// What is read at once while copying an image.
const BUFFER_SIZE: usize = 1 << 20;

impl FileSystemTemplateProvider {
    /// The images below the directory `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The file that the handle names, with `suffix`: a regular file below the root, symbolic links followed.
    fn find(&self, handle: &str, suffix: &str) -> Result<PathBuf, TemplateError> {
        let escapes =
            || TemplateError::Escapes { handle: handle.to_owned(), root: self.root.clone() };
        let relative = PathBuf::from(format!("{handle}{suffix}"));
        let is_inner =
            |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
        if handle.is_empty() || !relative.components().all(is_inner) {
            return Err(escapes());
        }
        let root = real_path(&self.root)?;
        let path = real_path(&root.join(&relative))?;
        if !path.starts_with(&root) {
            return Err(escapes());
        }
        if !path.is_file() {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file");
            return Err(FileError::io("read", &path)(error).into());
        }
        Ok(path)
    }
}

fn real_path(path: &Path) -> Result<PathBuf, FileError> {
    fs::canonicalize(path).map_err(FileError::io("open", path))
}

impl TemplateProvider for FileSystemTemplateProvider {
    fn get_hash(&self, handle: &str) -> Result<Digest, TemplateError> {
        let path = self.find(handle, ".hash")?;
        read_text(&path)?.parse().map_err(|source| TemplateError::Hash { path, source })
    }

    fn get_metadata(&self, handle: &str) -> Result<Metadata, TemplateError> {
        match self.find(handle, ".metadata") {
            Ok(path) => Ok(read_json(&path)?),
            Err(TemplateError::File(error)) if error.kind() == io::ErrorKind::NotFound => {
                Ok(Metadata::new())
            }
            Err(error) => Err(error),
        }
    }

    fn download_image(&self, handle: &str, sink: &mut ImageSink) -> Result<(), TemplateError> {
        let path = self.find(handle, "")?;
        let mut file = File::open(&path).map_err(FileError::io("open", &path))?;
        let mut buffer = vec![0; BUFFER_SIZE];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => sink.write(&buffer[..count])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(FileError::io("read", &path)(error).into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn handles_stay_below_the_root() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::write(dir.path().join("secret.hash"), "a".repeat(64)).unwrap();
        fs::write(root.join("sub/image.hash"), "b".repeat(64)).unwrap();
        symlink(dir.path().join("secret.hash"), root.join("link.hash")).unwrap();
        symlink("sub/image.hash", root.join("inner.hash")).unwrap();
        let provider = FileSystemTemplateProvider::new(&root);
        for handle in ["sub/image", "./sub/image", "inner"] {
            assert_eq!(provider.get_hash(handle).unwrap().as_hex(), "b".repeat(64), "{handle}");
        }
        let absolute = dir.path().join("secret");
        for handle in ["", "../secret", "sub/../../secret", "link", absolute.to_str().unwrap()] {
            let error = provider.get_hash(handle).unwrap_err();
            assert!(matches!(error, TemplateError::Escapes { .. }), "{handle}: {error}");
        }
    }

    #[test]
    fn a_hash_file_that_holds_something_else_is_said() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("image.hash"), "oops").unwrap();
        let provider = FileSystemTemplateProvider::new(dir.path());
        let error = provider.get_hash("image").unwrap_err().to_string();
        assert!(
            error.contains("image.hash holds no digest") && error.contains("sha256sum"),
            "{error}"
        );
        let error = provider.get_hash("other").unwrap_err().to_string();
        assert!(error.contains("other.hash: No such file"), "{error}");
    }

    #[test]
    fn metadata_are_optional() {
        let dir = tempfile::tempdir().unwrap();
        let provider = FileSystemTemplateProvider::new(dir.path());
        assert!(provider.get_metadata("image").unwrap().is_empty());
        fs::write(dir.path().join("image.metadata"), r#"{"distro": "debian"}"#).unwrap();
        assert_eq!(provider.get_metadata("image").unwrap()["distro"], "debian");
    }
}
