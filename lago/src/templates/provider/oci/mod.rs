//! Images in container registries, as KubeVirt's container disks have them: a container image with the disk in `/disk`.

mod layer;
mod manifest;
mod reference;
mod registry;

pub use reference::{Reference, ReferenceError};

pub(in crate::templates) use reference::SCHEME;

use self::manifest::{Descriptor, Document};
use self::registry::{Manifest, Registry};
use super::{ImageEntry, Metadata, TemplateProvider};
use crate::templates::digest::Digest;
use crate::templates::download::ImageDownload;
use crate::templates::error::TemplateError;
use crate::templates::transfer::Transfer;

/// Images in a registry. The digest of one is that of its manifest, or of the list of its platforms' manifests: from there
/// on every document and every layer is known by its own digest.
#[derive(Debug, Clone)]
pub struct OciTemplateProvider {
    base: Option<String>,
}

impl OciTemplateProvider {
    /// The images below `base_url`, such as `oci://quay.io/containerdisks`, or anywhere.
    pub fn new(base_url: Option<&str>) -> Result<Self, ReferenceError> {
        let base = base_url.map(|base| base.trim_end_matches('/').to_owned());
        if let Some(base) = &base {
            format!("{base}/image").parse::<Reference>()?;
        }
        Ok(Self { base })
    }

    fn reference(&self, handle: &str) -> Result<Reference, TemplateError> {
        let text = match &self.base {
            Some(base) => format!("{base}/{handle}"),
            None => handle.to_owned(),
        };
        Ok(text.parse()?)
    }
}

/// The digest that the manifest of the repository or the reference itself demands.
fn demanded(image: &ImageEntry, reference: &Reference) -> Option<Digest> {
    image.hash.clone().or_else(|| reference.digest().cloned())
}

impl TemplateProvider for OciTemplateProvider {
    fn is_local(&self) -> bool {
        false
    }

    fn location(&self, image: &ImageEntry) -> String {
        self.reference(&image.handle)
            .map_or_else(|_| image.handle.clone(), |found| found.to_string())
    }

    fn get_hash(&self, image: &ImageEntry, transfer: &Transfer) -> Result<Digest, TemplateError> {
        let reference = self.reference(&image.handle)?;
        match demanded(image, &reference) {
            Some(digest) => Ok(digest),
            None => Ok(Registry::of(&reference, transfer).manifest(None)?.digest),
        }
    }

    fn get_metadata(
        &self,
        _image: &ImageEntry,
        _transfer: &Transfer,
    ) -> Result<Metadata, TemplateError> {
        Ok(Metadata::new())
    }

    fn download_image(
        &self,
        image: &ImageEntry,
        download: &ImageDownload<'_>,
    ) -> Result<Digest, TemplateError> {
        let reference = self.reference(&image.handle)?;
        let registry = Registry::of(&reference, download.transfer());
        let demanded = demanded(image, &reference);
        let top = verified(&registry, demanded.as_ref(), download)?;
        let layers = match top.document()? {
            Document::Image { layers } => layers,
            Document::Index { manifests } => {
                let chosen =
                    manifest::choose(&manifests).map_err(|reason| download.unusable(reason))?;
                match verified(&registry, Some(&chosen.digest), download)?.document()? {
                    Document::Image { layers } => layers,
                    Document::Index { .. } => {
                        return Err(download.unusable("is a list of lists of platforms".to_owned()));
                    }
                }
            }
        };
        fetch_disk(&registry, &layers, download)?;
        Ok(top.digest)
    }
}

fn verified(
    registry: &Registry<'_>,
    demanded: Option<&Digest>,
    download: &ImageDownload<'_>,
) -> Result<Manifest, TemplateError> {
    let manifest = registry.manifest(demanded)?;
    match demanded {
        Some(demanded) if *demanded != manifest.digest => {
            Err(download.mismatch(&manifest.digest, demanded))
        }
        _ => Ok(manifest),
    }
}

/// Fetches layers, the uppermost first, until one has the disk.
fn fetch_disk(
    registry: &Registry<'_>,
    layers: &[Descriptor],
    download: &ImageDownload<'_>,
) -> Result<(), TemplateError> {
    for layer in layers.iter().rev() {
        let remote = registry.blob(&layer.digest, layer.size)?;
        if download.fetch_from_within(&remote, &layer.digest, layer::write_disk)? {
            return Ok(());
        }
    }
    Err(download.unusable("has no file in /disk, where a container disk has its image".to_owned()))
}
