//! The images that the disks of a prefix consist of, down to the templates.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::CapsuleError;
use super::manifest::{Below, Image, TemplateUse};
use crate::Result;
use crate::paths::Paths;
use crate::prefix::DiskImage;
use crate::prefix::chain::Link;
use crate::prefix::layers::Disks;
use crate::templates::{Digest, ImageFormat, StoredImage, TemplateStore};
use crate::utils::{FileError, parallel};

/// What the disks of all VMs consist of.
#[derive(Debug, Default)]
pub(super) struct Packed {
    /// The disks, with paths in the capsule.
    pub(super) disks: Disks,
    /// Each image after the one that it stands on.
    pub(super) images: Vec<Image>,
    pub(super) templates: Vec<TemplateUse>,
    /// The file of each image, by its path in the capsule.
    pub(super) sources: Vec<(PathBuf, PathBuf)>,
    /// Where each source is in the capsule.
    known: HashMap<PathBuf, PathBuf>,
}

/// A disk and its chain, its own image first.
struct Chain<'a> {
    vm: &'a str,
    disk: &'a DiskImage,
    links: Vec<Link>,
}

/// Follows the disks of a prefix down to what they stand on. With templates, these go into the capsule as well.
pub(super) fn pack(paths: &Paths, disks: &Disks, with_templates: bool) -> Result<Packed> {
    let wanted = disks.iter().flat_map(|(vm, disks)| disks.iter().map(move |disk| (vm, disk)));
    let chains = parallel(wanted, |(vm, disk)| {
        let links = Link::chain(&paths.prefix().join(&disk.path), disk.format.qemu_name())?;
        Ok::<_, crate::Error>(Chain { vm, disk, links })
    })?;
    let mut packed = Packed {
        disks: disks.keys().map(|vm| (vm.clone(), Vec::new())).collect(),
        ..Packed::default()
    };
    for chain in &chains {
        let path = packed.add(chain, with_templates)?;
        packed.disks[chain.vm].push(DiskImage { path, ..chain.disk.clone() });
    }
    Ok(packed)
}

impl Packed {
    /// Adds what a disk consists of, from the bottom up, and returns where its own image is.
    fn add(&mut self, chain: &Chain<'_>, with_templates: bool) -> Result<PathBuf> {
        let mut below = None;
        for (depth, link) in chain.links.iter().enumerate().rev() {
            let source =
                link.filename.canonicalize().map_err(FileError::io("find", &link.filename))?;
            let template = if depth > 0 { TemplateStore::stored_at(&source)? } else { None };
            below = Some(match (template, self.known.get(&source)) {
                (Some((name, image)), _) => {
                    Below::Template(self.add_template(name, image, with_templates))
                }
                (None, Some(known)) => Below::Image(known.clone()),
                (None, None) => Below::Image(self.add_image(chain, depth, source, below)?),
            });
        }
        match below {
            Some(Below::Image(path)) => Ok(path),
            _ => Err(chain.refused("it has no image of its own").into()),
        }
    }

    fn add_image(
        &mut self,
        chain: &Chain<'_>,
        depth: usize,
        source: PathBuf,
        below: Option<Below>,
    ) -> Result<PathBuf, CapsuleError> {
        let format = chain.format(depth)?;
        let path = chain.path_in_capsule(depth, format);
        self.images.push(Image { path: path.clone(), format, below });
        self.sources.push((path.clone(), source.clone()));
        self.known.insert(source, path.clone());
        Ok(path)
    }

    fn add_template(&mut self, name: String, image: StoredImage, with_file: bool) -> Digest {
        let StoredImage { path, format, digest, .. } = image;
        if self.templates.iter().all(|known| known.digest != digest) {
            let file = with_file.then(|| {
                PathBuf::from(format!(
                    "images/template-{}.{}",
                    self.templates.len(),
                    format.as_str()
                ))
            });
            self.sources.extend(file.clone().map(|file| (file, path)));
            self.templates.push(TemplateUse { name, digest: digest.clone(), format, file });
        }
        digest
    }
}

impl Chain<'_> {
    fn format(&self, depth: usize) -> Result<ImageFormat, CapsuleError> {
        let link = &self.links[depth];
        if let Some(file) = link.data_file() {
            let reason = format!("the data of the image {} are in {file}", link.filename.display());
            return Err(self.refused(&reason));
        }
        [ImageFormat::Qcow2, ImageFormat::Raw]
            .into_iter()
            .find(|format| format.as_str() == link.format)
            .ok_or_else(|| {
                let (image, format) = (link.filename.display(), &link.format);
                self.refused(&format!("the image {image} has the format {format}"))
            })
    }

    /// A device has no dot in its name, and a VM's image none that is also another one's.
    fn path_in_capsule(&self, depth: usize, format: ImageFormat) -> PathBuf {
        let (vm, dev) = (self.vm, &self.disk.dev);
        Path::new("images").join(format!("{vm}-{dev}.{depth}.{}", format.as_str()))
    }

    fn refused(&self, reason: &str) -> CapsuleError {
        let reason = format!("of its disk {}, {reason}", self.disk.dev);
        CapsuleError::Unpackable { vm: self.vm.to_owned(), reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::DiskFormat;
    use crate::templates::TemplateRepository;
    use crate::utils::HostCommand;

    fn qemu_img(dir: &Path, args: &[&str]) {
        HostCommand::new("qemu-img").args(args).current_dir(dir).run().unwrap();
    }

    fn disk(path: &Path, dev: &str, format: DiskFormat) -> DiskImage {
        DiskImage { path: path.to_owned(), format, dev: dev.into(), read_only: false }
    }

    /// Two disks, of which each stands on another one and both on the same image of the user's.
    #[test]
    fn a_chain_is_followed_down_and_what_is_shared_is_packed_once() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path();
        qemu_img(at, &["create", "-q", "-f", "qcow2", "base", "1M"]);
        qemu_img(at, &["create", "-q", "-f", "qcow2", "-b", "base", "-F", "qcow2", "lower"]);
        qemu_img(at, &["create", "-q", "-f", "qcow2", "-b", "lower", "-F", "qcow2", "a"]);
        qemu_img(at, &["create", "-q", "-f", "qcow2", "-b", "base", "-F", "qcow2", "b"]);
        std::fs::write(at.join("cd"), "a CD").unwrap();
        let disks = Disks::from([
            ("one".to_owned(), vec![disk(Path::new("a"), "vda", DiskFormat::Qcow2)]),
            (
                "two".to_owned(),
                vec![
                    disk(&at.join("b"), "vda", DiskFormat::Qcow2),
                    disk(&at.join("cd"), "sda", DiskFormat::Iso),
                ],
            ),
        ]);
        let packed = pack(&Paths::new(at), &disks, false).unwrap();
        let shown: Vec<_> = packed
            .images
            .iter()
            .map(|image| match &image.below {
                Some(Below::Image(below)) => {
                    format!("{} on {}", image.path.display(), below.display())
                }
                _ => image.path.display().to_string(),
            })
            .collect();
        assert_eq!(
            shown,
            [
                "images/one-vda.2.qcow2",
                "images/one-vda.1.qcow2 on images/one-vda.2.qcow2",
                "images/one-vda.0.qcow2 on images/one-vda.1.qcow2",
                "images/two-vda.0.qcow2 on images/one-vda.2.qcow2",
                "images/two-sda.0.raw",
            ]
        );
        assert_eq!(packed.disks["two"][1].path, Path::new("images/two-sda.0.raw"));
        assert_eq!(packed.sources.len(), 5);
    }

    /// No repository has what was built here, so it goes into the capsule; what it was built on stays out.
    #[test]
    fn what_was_built_on_a_template_is_packed_and_the_template_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path();
        qemu_img(at, &["create", "-q", "-f", "qcow2", "disk.qcow2", "1M"]);
        let sum = HostCommand::new("sha256sum").arg("disk.qcow2").current_dir(at).run().unwrap();
        std::fs::write(at.join("disk.qcow2.hash"), sum.stdout).unwrap();
        let manifest = r#"{"name": "office", "sources": {"here": {"type": "file", "args": {"root": "."}}},
            "templates": {"disk": {"versions": {"v1": {"source": "here", "handle": "disk.qcow2", "timestamp": 1}}}}}"#;
        std::fs::write(at.join("repo.json"), manifest).unwrap();
        let repository = TemplateRepository::from_file(&at.join("repo.json")).unwrap();
        let version = repository.get_by_name("disk").unwrap().get_latest_version().clone();
        let store = TemplateStore::open(&at.join("store")).unwrap();
        let base = store.download(&version).unwrap();
        let (key, id) = ("ab".repeat(32).parse().unwrap(), uuid::Uuid::new_v4());
        let layer = store
            .acquire_layer(&(&base).into(), &key, id, at, |_| Ok::<_, crate::Error>(()))
            .unwrap();
        let below = layer.path.to_str().unwrap();
        qemu_img(at, &["create", "-q", "-f", "qcow2", "-b", below, "-F", "qcow2", "a"]);
        let disks =
            Disks::from([("one".to_owned(), vec![disk(Path::new("a"), "vda", DiskFormat::Qcow2)])]);
        let packed = pack(&Paths::new(at), &disks, false).unwrap();
        assert_eq!(packed.templates.len(), 1);
        assert_eq!(
            (&*packed.templates[0].name, &packed.templates[0].digest),
            ("office:disk:v1", &base.digest)
        );
        let [built, own] = &packed.images[..] else { panic!("{:?}", packed.images) };
        assert_eq!(built.below, Some(Below::Template(base.digest)));
        assert_eq!(own.below, Some(Below::Image(built.path.clone())));
    }

    #[test]
    fn an_image_whose_data_are_elsewhere_is_not_packed() {
        let dir = tempfile::tempdir().unwrap();
        qemu_img(dir.path(), &["create", "-q", "-f", "qcow2", "-o", "data_file=data", "x", "1M"]);
        let disks =
            Disks::from([("one".to_owned(), vec![disk(Path::new("x"), "vdb", DiskFormat::Qcow2)])]);
        let error = pack(&Paths::new(dir.path()), &disks, false).unwrap_err().to_string();
        assert!(error.starts_with("VM one cannot be packed: of its disk vdb, the data"), "{error}");
    }
}
