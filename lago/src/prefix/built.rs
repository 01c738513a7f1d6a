//! What `build` steps make of disks: layers in the template store, which all prefixes with the same steps have in common.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::InitOptions;
use super::chain::Link;
use super::disks::Backing;
use crate::spec::BuildStep;
use crate::templates::{Digest, ImageFormat, LayerBase, StoredImage, TemplateError};
use crate::utils::FileError;
use crate::{Result, sysprep};

impl InitOptions {
    /// What `build` steps make of a template's image: it is in the store, or made now. The image itself if there are no steps.
    pub(super) fn built(
        &self,
        image: &StoredImage,
        steps: &[BuildStep],
        id: Uuid,
        prefix: &Path,
    ) -> Result<StoredImage> {
        if steps.is_empty() {
            return Ok(image.clone());
        }
        let key = sysprep::build_key(&image.digest, steps)?;
        self.layer(&LayerBase::from(image), &key, steps, id, prefix, || Ok(()))
    }

    /// The same of an image of the user's, which is none of a template.
    pub(super) fn built_on_file(
        &self,
        image: &Backing,
        steps: &[BuildStep],
        id: Uuid,
        prefix: &Path,
    ) -> Result<Backing> {
        let base = FileBase::of(&image.path, image.format)?;
        let unchanged = || {
            let now = FileBase::of(&image.path, image.format)?;
            let same = now.identity == base.identity;
            if same { Ok(()) } else { Err(changed(&image.path).into()) }
        };
        let key = base.key(steps)?;
        let built = self.layer(&base.layer_base(), &key, steps, id, prefix, unchanged)?;
        Ok(Backing { path: built.path, format: built.format })
    }

    fn layer(
        &self,
        base: &LayerBase<'_>,
        key: &Digest,
        steps: &[BuildStep],
        id: Uuid,
        prefix: &Path,
        check: impl FnOnce() -> Result<()>,
    ) -> Result<StoredImage> {
        let store = self.template_store()?;
        store.acquire_layer(base, key, id, prefix, |overlay| {
            sysprep::run_build(overlay, steps, self.acceleration.resolve(), store.path())?;
            check()
        })
    }
}

/// An image of the user's that layers stand on.
#[derive(Debug)]
pub(crate) struct FileBase {
    path: PathBuf,
    format: ImageFormat,
    identity: Digest,
}

impl FileBase {
    /// A layer names the file that it stands on, so the file itself counts: where it is, which one it is, its size and when it
    /// was last changed, and so of all that it stands on. Its content is not read, which would take seconds for each gigabyte
    /// at each `init`. Nor does it count when its owner or mode was last changed: libvirt changes these at each start.
    pub(crate) fn of(path: &Path, format: ImageFormat) -> Result<Self> {
        let mut hash = Sha256::new();
        for link in Link::chain(path, format.as_str())? {
            let data = link.data_file().map(PathBuf::from);
            for file in [link.filename].into_iter().chain(data) {
                identify(&mut hash, &file).map_err(FileError::io("look at", &file))?;
            }
        }
        let identity = format!("{:x}", hash.finalize());
        let identity = identity.parse().expect("these are the digits of a SHA-256");
        Ok(Self { path: path.to_owned(), format, identity })
    }

    /// The key of what these steps make of it.
    pub(crate) fn key(&self, steps: &[BuildStep]) -> Result<Digest> {
        Ok(sysprep::build_key(&self.identity, steps)?)
    }

    /// The name in a store of what is built on it by this key.
    pub(crate) fn layer_name(&self, key: &Digest) -> String {
        self.layer_base().layer_name(key)
    }

    fn layer_base(&self) -> LayerBase<'_> {
        LayerBase::of_file(&self.path, self.format, &self.identity)
    }
}

fn identify(hash: &mut Sha256, file: &Path) -> io::Result<()> {
    let path = file.canonicalize()?;
    let file = fs::metadata(&path)?;
    hash.update(path.as_os_str().as_bytes());
    hash.update([0]);
    for number in [file.ino(), file.len()] {
        hash.update(number.to_le_bytes());
    }
    for number in [file.mtime(), file.mtime_nsec()] {
        hash.update(number.to_le_bytes());
    }
    Ok(())
}

fn changed(image: &Path) -> TemplateError {
    TemplateError::Image {
        template: image.display().to_string(),
        reason: "was changed while it was built on; let nobody write to it, and try again"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::utils::HostCommand;

    fn qemu_img(dir: &Path, args: &[&str]) {
        HostCommand::new("qemu-img").args(args).current_dir(dir).run().unwrap();
    }

    #[test]
    fn an_image_is_another_one_when_it_or_what_it_stands_on_was_changed_or_is_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path();
        qemu_img(at, &["create", "-q", "-f", "raw", "below", "1M"]);
        qemu_img(at, &["create", "-q", "-f", "qcow2", "-b", "below", "-F", "raw", "image"]);
        let identity =
            |name: &str| FileBase::of(&at.join(name), ImageFormat::Qcow2).unwrap().identity;
        let first = identity("image");
        assert_eq!(identity("image"), first);
        fs::copy(at.join("image"), at.join("copy")).unwrap();
        assert_ne!(identity("copy"), first);
        fs::write(at.join("below"), vec![1; 1 << 20]).unwrap();
        assert_ne!(identity("image"), first);
        let second = identity("image");
        qemu_img(at, &["resize", "-q", "image", "2M"]);
        assert_ne!(identity("image"), second);
    }
}
