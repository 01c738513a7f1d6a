//! The disk in a layer of a container image.

use std::io::Read;
use std::path::{Component, Path};

use tar::{Archive, EntryType};

use crate::templates::unpack::{self, ContentError};

/// The directory that has the disk: KubeVirt's convention for container disks.
const DIRECTORY: &str = "disk";

/// Writes the one file that the layer's `/disk` has to `target`, or says that it has none. No other path of the layer is
/// ever written to.
pub(super) fn write_disk(layer: &mut dyn Read, target: &Path) -> Result<bool, ContentError> {
    let mut archive = Archive::new(layer);
    let mut found: Option<String> = None;
    for entry in archive.entries().map_err(ContentError::Read)? {
        let mut entry = entry.map_err(ContentError::Read)?;
        let regular = matches!(
            entry.header().entry_type(),
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse
        );
        let path = entry.path().map_err(ContentError::Read)?.into_owned();
        let Some(name) = file_in_directory(&path).filter(|_| regular) else { continue };
        if let Some(first) = &found {
            return Err(ContentError::Wrong(format!(
                "has two files in /{DIRECTORY}, {first} and {name}, where a container disk has one"
            )));
        }
        unpack::write(&mut entry, target, |_| ())?;
        found = Some(name);
    }
    Ok(found.is_some())
}

/// The name of a file right in the directory. Names that begin with `.wh.` say that a lower layer's file is gone.
fn file_in_directory(path: &Path) -> Option<String> {
    let inner = |part: &Component<'_>| !matches!(part, Component::RootDir | Component::CurDir);
    let parts: Vec<Component<'_>> = path.components().filter(inner).collect();
    let [Component::Normal(directory), Component::Normal(name)] = parts[..] else { return None };
    let name = name.to_str()?;
    (directory == DIRECTORY && !name.starts_with(".wh.")).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tar::{Builder, Header};

    use super::*;

    /// A layer with these files.
    fn layer(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (name, content) in files {
            let mut header = Header::new_gnu();
            // `set_path` refuses the paths that the tests are about.
            header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            let directory = name.ends_with('/');
            header.set_entry_type(if directory {
                EntryType::Directory
            } else {
                EntryType::Regular
            });
            header.set_cksum();
            builder.append(&header, *content).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn disk_of(files: &[(&str, &[u8])]) -> Result<Option<Vec<u8>>, ContentError> {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("image");
        let layer = layer(files);
        let found = write_disk(&mut layer.as_slice(), &target)?;
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), usize::from(found));
        Ok(found.then(|| fs::read(&target).unwrap()))
    }

    #[test]
    fn the_file_in_the_directory_is_the_disk() {
        for name in ["disk/vm.img", "./disk/vm.qcow2", "/disk/vm"] {
            let files: [(&str, &[u8]); 4] =
                [("etc/passwd", b"root"), ("disk/", b""), (name, b"a disk"), ("disk/sub/x", b"x")];
            assert_eq!(disk_of(&files).unwrap().as_deref(), Some(&b"a disk"[..]), "{name}");
        }
    }

    #[test]
    fn other_files_are_no_disk_and_written_nowhere() {
        let files: [(&str, &[u8]); 5] = [
            ("../disk/vm.img", b"x"),
            ("disk/../../vm.img", b"x"),
            ("disk/.wh.vm.img", b""),
            ("mydisk/vm.img", b"x"),
            ("vm.img", b"x"),
        ];
        assert_eq!(disk_of(&files).unwrap(), None);
    }

    #[test]
    fn two_disks_are_one_too_many() {
        let error = disk_of(&[("disk/a", b"x"), ("disk/b", b"y")]).unwrap_err();
        assert!(
            matches!(&error, ContentError::Wrong(text) if text.contains("a and b")),
            "{error:?}"
        );
    }
}
