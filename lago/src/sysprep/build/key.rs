//! What a built image is made of.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::spec::{BuildStep, Input, Split};
use crate::sysprep::SysprepError;
use crate::templates::Digest;
use crate::utils::FileError;

/// Another number when the same steps come to another image.
const FORMAT: &str = "lago build 1";

/// The key of what these steps make of the image with this digest: a SHA-256 of the image, the steps, and the files that these
/// read, with their names, owners and permissions, but not the directories in which they lie.
pub(crate) fn build_key(base: &Digest, steps: &[BuildStep]) -> Result<Digest, SysprepError> {
    let mut hash = Hash(Sha256::new());
    hash.text(FORMAT);
    hash.text(base.as_hex());
    for BuildStep::VirtCustomize(options) in steps {
        hash.text("virt-customize");
        hash.number(options.len());
        for (option, values) in options {
            hash.text(option);
            hash.number(values.len());
            values.iter().try_for_each(|value| hash.argument(option, value))?;
        }
    }
    Ok(format!("{:x}", hash.0.finalize()).parse().expect("these are the digits of a SHA-256"))
}

/// A hash of things of which each says how long it is, so that no two lists of things are the same bytes.
struct Hash(Sha256);

impl Hash {
    fn number(&mut self, number: usize) {
        self.0.update((number as u64).to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len());
        self.0.update(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn argument(&mut self, option: &str, value: &str) -> Result<(), SysprepError> {
        let Split { before, input, value, after } = Split::of(option, value);
        self.text(before);
        self.text(after);
        if input != Input::File {
            self.text(value);
            return Ok(());
        }
        let path = Path::new(value);
        let metadata = fs::metadata(path).map_err(FileError::io("find", path))?;
        Ok(self.file(path, &metadata)?)
    }

    /// A file by its name, owner, permissions and content; a directory with all that is in it.
    fn file(&mut self, path: &Path, metadata: &Metadata) -> Result<(), FileError> {
        self.bytes(path.file_name().unwrap_or_default().as_bytes());
        for number in [metadata.mode(), metadata.uid(), metadata.gid()] {
            self.0.update(number.to_le_bytes());
        }
        if metadata.is_dir() {
            return self.directory(path);
        }
        if metadata.is_symlink() {
            let target = fs::read_link(path).map_err(FileError::io("read", path))?;
            self.bytes(target.as_os_str().as_bytes());
        } else if metadata.is_file() {
            self.0.update(metadata.len().to_le_bytes());
            let copied = File::open(path).and_then(|mut file| io::copy(&mut file, &mut self.0));
            copied.map_err(FileError::io("read", path))?;
        }
        Ok(())
    }

    fn directory(&mut self, path: &Path) -> Result<(), FileError> {
        let list = || {
            let entries = fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path()));
            let mut entries = entries.collect::<io::Result<Vec<_>>>()?;
            entries.sort();
            Ok(entries)
        };
        let entries = list().map_err(FileError::io("read", path))?;
        self.number(entries.len());
        for entry in entries {
            let metadata = fs::symlink_metadata(&entry).map_err(FileError::io("find", &entry))?;
            self.file(&entry, &metadata)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use indexmap::IndexMap;

    use super::*;

    fn key(base: char, options: &[(&str, &[&str])]) -> Digest {
        let options: IndexMap<String, Vec<String>> = options
            .iter()
            .map(|(name, values)| {
                ((*name).to_owned(), values.iter().map(|value| (*value).to_owned()).collect())
            })
            .collect();
        let base = base.to_string().repeat(64).parse().unwrap();
        build_key(&base, &[BuildStep::VirtCustomize(options)]).unwrap()
    }

    #[test]
    fn the_image_and_every_step_and_their_order_count() {
        let steps: &[(&str, &[&str])] = &[("touch", &["/a", "/b"]), ("update", &[])];
        let same = key('a', steps);
        assert_eq!(key('a', steps), same);
        for (base, other) in [
            ('b', steps),
            ('a', &[("touch", &["/b", "/a"][..]), ("update", &[])]),
            ('a', &[("update", &[]), ("touch", &["/a", "/b"])]),
            ('a', &[("touch", &["/a"]), ("update", &[])]),
            ('a', &[("touch", &["/a", "/b", "update"])]),
        ] {
            assert_ne!(key(base, other), same, "{other:?}");
        }
    }

    #[test]
    fn the_content_of_files_counts_and_not_where_they_lie() {
        let dir = tempfile::tempdir().unwrap();
        let upload = |place: &str| {
            let file = dir.path().join(place).join("tree");
            key('a', &[("copy-in", &[&format!("{}:/root", file.display())])])
        };
        let write = |place: &str, content: &str| {
            let tree = dir.path().join(place).join("tree/sub");
            fs::create_dir_all(&tree).unwrap();
            fs::write(tree.join("file"), content).unwrap();
        };
        write("one", "a");
        write("two", "a");
        let first = upload("one");
        assert_eq!(upload("two"), first);
        write("two", "b");
        assert_ne!(upload("two"), first);
        write("two", "a");
        assert_eq!(upload("two"), first);
        let file = dir.path().join("two/tree/sub/file");
        fs::set_permissions(file, fs::Permissions::from_mode(0o700)).unwrap();
        assert_ne!(upload("two"), first);
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let options = IndexMap::from([("run".to_owned(), vec!["/nowhere/x.sh".to_owned()])]);
        let base = "a".repeat(64).parse().unwrap();
        let error = build_key(&base, &[BuildStep::VirtCustomize(options)]).unwrap_err();
        assert!(error.to_string().starts_with("cannot find /nowhere/x.sh"), "{error}");
    }
}
