//! Images in a directory of this machine.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{ImageEntry, Metadata, TemplateProvider, is_below, listed_digest};
use crate::templates::digest::Digest;
use crate::templates::download::ImageDownload;
use crate::templates::error::TemplateError;
use crate::templates::transfer::Transfer;
use crate::utils::{FileError, read_json, read_text};

/// A directory with images and, beside each, its digest (`.hash`) and metadata (`.metadata`).
#[derive(Debug, Clone)]
pub struct FileSystemTemplateProvider {
    root: PathBuf,
}

impl FileSystemTemplateProvider {
    /// The images below the directory `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The file of that name: a regular file below the root, symbolic links followed.
    fn find(&self, name: &str) -> Result<PathBuf, TemplateError> {
        let escapes =
            || TemplateError::Escapes { handle: name.to_owned(), root: self.root.clone() };
        if !is_below(name) {
            return Err(escapes());
        }
        let root = real_path(&self.root)?;
        let path = real_path(&root.join(name))?;
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
    fn is_local(&self) -> bool {
        true
    }

    fn location(&self, image: &ImageEntry) -> String {
        self.root.join(&image.handle).display().to_string()
    }

    fn get_hash(&self, image: &ImageEntry, _transfer: &Transfer) -> Result<Digest, TemplateError> {
        if let Some(hash) = &image.hash {
            return Ok(hash.clone());
        }
        if let Some(name) = &image.checksum_url {
            let path = self.find(name)?;
            return listed_digest(&read_text(&path)?, &path.to_string_lossy(), &image.handle);
        }
        // A handle that leads nowhere is told from a file that is not there.
        if !is_below(&image.handle) {
            self.find(&image.handle)?;
        }
        let path = self.find(&format!("{}.hash", image.handle))?;
        read_text(&path)?
            .parse()
            .map_err(|source| TemplateError::Hash { path: path.display().to_string(), source })
    }

    fn get_metadata(
        &self,
        image: &ImageEntry,
        _transfer: &Transfer,
    ) -> Result<Metadata, TemplateError> {
        match self.find(&format!("{}.metadata", image.handle)) {
            Ok(path) => Ok(read_json(&path)?),
            Err(TemplateError::File(error)) if error.kind() == io::ErrorKind::NotFound => {
                Ok(Metadata::new())
            }
            Err(error) => Err(error),
        }
    }

    fn download_image(
        &self,
        image: &ImageEntry,
        download: &ImageDownload<'_>,
    ) -> Result<Digest, TemplateError> {
        let expected = self.get_hash(image, download.transfer())?;
        download.copy(&self.find(&image.handle)?, &expected)?;
        Ok(expected)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn entry(handle: &str) -> ImageEntry {
        ImageEntry { handle: handle.to_owned(), hash: None, checksum_url: None }
    }

    fn hash(
        provider: &FileSystemTemplateProvider,
        image: &ImageEntry,
    ) -> Result<Digest, TemplateError> {
        provider.get_hash(image, &Transfer::shared())
    }

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
            let digest = hash(&provider, &entry(handle)).unwrap();
            assert_eq!(digest.as_hex(), "b".repeat(64), "{handle}");
        }
        let absolute = dir.path().join("secret");
        for handle in ["", "../secret", "sub/../../secret", "link", absolute.to_str().unwrap()] {
            let error = hash(&provider, &entry(handle)).unwrap_err();
            assert!(matches!(error, TemplateError::Escapes { .. }), "{handle}: {error}");
            let listed =
                ImageEntry { checksum_url: Some(format!("{handle}.hash")), ..entry("sub/image") };
            assert!(hash(&provider, &listed).is_err(), "{handle}");
        }
    }

    #[test]
    fn a_hash_file_that_holds_something_else_is_said() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("image.hash"), "oops").unwrap();
        let provider = FileSystemTemplateProvider::new(dir.path());
        let error = hash(&provider, &entry("image")).unwrap_err().to_string();
        assert!(
            error.contains("image.hash holds no digest") && error.contains("sha256sum"),
            "{error}"
        );
        let error = hash(&provider, &entry("other")).unwrap_err().to_string();
        assert!(error.contains("other.hash: No such file"), "{error}");
    }

    #[test]
    fn a_hash_of_the_manifest_comes_first_and_then_a_checksum_file() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("image.hash"), "a".repeat(64)).unwrap();
        fs::write(dir.path().join("SHA256SUMS"), format!("{}  image\n", "b".repeat(64))).unwrap();
        let provider = FileSystemTemplateProvider::new(dir.path());
        let listed = ImageEntry { checksum_url: Some("SHA256SUMS".into()), ..entry("image") };
        assert_eq!(hash(&provider, &listed).unwrap().as_hex(), "b".repeat(64));
        let given = ImageEntry { hash: Some("c".repeat(64).parse().unwrap()), ..listed };
        assert_eq!(hash(&provider, &given).unwrap().as_hex(), "c".repeat(64));
    }

    #[test]
    fn metadata_are_optional() {
        let dir = tempfile::tempdir().unwrap();
        let provider = FileSystemTemplateProvider::new(dir.path());
        let metadata = || provider.get_metadata(&entry("image"), &Transfer::shared()).unwrap();
        assert!(metadata().is_empty());
        fs::write(dir.path().join("image.metadata"), r#"{"distro": "debian"}"#).unwrap();
        assert_eq!(metadata()["distro"], "debian");
    }
}
