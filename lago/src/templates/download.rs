//! One image on its way from a provider to its file, verified.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::digest::{Digest, DigestAlgorithm};
use super::error::TemplateError;
use super::transfer::{Remote, Transfer, forget, is_begun};
use super::unpack::{self, ContentError, Plain, UnpackError, Unpacked};
use crate::utils::FileError;

/// Where an image goes. A provider hands what it has to [`copy`](Self::copy) or [`fetch`](Self::fetch), which compare it
/// with its digest, decompress it, and write it with holes.
#[derive(Debug)]
pub struct ImageDownload<'a> {
    template: &'a str,
    image: PathBuf,
    part: PathBuf,
    transfer: &'a Transfer,
}

impl<'a> ImageDownload<'a> {
    /// The image goes to `image`; what comes over the network is collected in `part`, so that it can be continued.
    pub(super) fn new(
        template: &'a str,
        image: &Path,
        part: &Path,
        transfer: &'a Transfer,
    ) -> Self {
        Self { template, image: image.to_owned(), part: part.to_owned(), transfer }
    }

    /// Network access, for what a provider needs besides the image.
    pub fn transfer(&self) -> &Transfer {
        self.transfer
    }

    /// Takes the image from a file of this machine.
    ///
    /// # Errors
    /// When it cannot be read or written, or has another digest. Nothing is left then.
    pub fn copy(&self, source: &Path, expected: &Digest) -> Result<(), TemplateError> {
        self.warn_of_weak(expected);
        let copied = self.copy_checked(source, expected);
        self.tidied(copied)
    }

    fn copy_checked(&self, source: &Path, expected: &Digest) -> Result<(), TemplateError> {
        let mut file = File::open(source).map_err(FileError::io("open", source))?;
        let algorithm = expected.algorithm();
        let unpacked = unpack::image(&mut file, algorithm, &self.image, Plain::Write);
        let unpacked = unpacked.map_err(|error| match error {
            UnpackError::Source(error) => FileError::io("read", source)(error).into(),
            other => self.of_unpacking(other, expected),
        })?;
        self.compare(&unpacked, expected)
    }

    /// Takes the image from a server. What an earlier call could not finish is continued.
    ///
    /// # Errors
    /// When it cannot be fetched or written, or has another digest. Only what came before the network failed is left then,
    /// for the next call.
    pub fn fetch(&self, remote: &Remote, expected: &Digest) -> Result<(), TemplateError> {
        self.warn_of_weak(expected);
        let fetched = self.with_second_chance(|| self.fetch_checked(remote, expected));
        self.tidied(fetched)
    }

    fn fetch_checked(&self, remote: &Remote, expected: &Digest) -> Result<(), TemplateError> {
        let unpacked = self.transfer.fetch(remote, &self.part, |source| {
            let unpacked = unpack::image(source, expected.algorithm(), &self.image, Plain::Leave);
            let unpacked = unpacked.map_err(|error| self.of_unpacking(error, expected))?;
            self.compare(&unpacked, expected)?;
            Ok::<_, TemplateError>(unpacked)
        })?;
        if unpacked.codec.is_none() {
            self.part_is_image()?;
        }
        forget(&self.part);
        Ok(())
    }

    /// The image came as it is to be.
    fn part_is_image(&self) -> Result<(), FileError> {
        File::open(&self.part)
            .and_then(|file| file.sync_all())
            .and_then(|()| fs::rename(&self.part, &self.image))
            .map_err(FileError::io("write", &self.image))
    }

    /// Fetches something that holds the image, such as a layer of a container image; `find` writes the image to the path
    /// that it is given, or says that it is not in there.
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub(super) fn fetch_from_within(
        &self,
        remote: &Remote,
        expected: &Digest,
        find: impl Fn(&mut dyn Read, &Path) -> Result<bool, ContentError> + Sync,
    ) -> Result<bool, TemplateError> {
        let fetched = self.with_second_chance(|| {
            let unpacked = self.transfer.fetch(remote, &self.part, |source| {
                let unpacked = unpack::unpack(source, expected.algorithm(), |content, _| {
                    find(content, &self.image)
                });
                let unpacked = unpacked.map_err(|error| self.of_unpacking(error, expected))?;
                if unpacked.served == *expected {
                    Ok(unpacked)
                } else {
                    Err(self.mismatch(&unpacked.served, expected))
                }
            })?;
            forget(&self.part);
            Ok(unpacked.result)
        });
        self.tidied(fetched)
    }

    /// What an earlier process left may be damaged, by a power cut for example, so that it is fetched anew once.
    fn with_second_chance<T>(
        &self,
        fetch: impl Fn() -> Result<T, TemplateError>,
    ) -> Result<T, TemplateError> {
        let continued = is_begun(&self.part);
        match fetch() {
            Err(TemplateError::Mismatch { .. } | TemplateError::Image { .. }) if continued => {
                tracing::warn!(
                    "what was left of {} by an earlier download is of no use, beginning anew",
                    self.template
                );
                forget(&self.part);
                fetch()
            }
            other => other,
        }
    }

    fn compare(
        &self,
        unpacked: &Unpacked<Option<Digest>>,
        expected: &Digest,
    ) -> Result<(), TemplateError> {
        // Distributions give the digest of the compressed file, and Lago's own repositories that of the image in it.
        if unpacked.served == *expected || unpacked.result.as_ref() == Some(expected) {
            return Ok(());
        }
        Err(self.mismatch(&unpacked.served, expected))
    }

    pub(super) fn mismatch(&self, actual: &Digest, expected: &Digest) -> TemplateError {
        TemplateError::Mismatch {
            template: self.template.to_owned(),
            expected: expected.clone(),
            actual: actual.clone(),
        }
    }

    /// It came as it should, but no VM can start from it.
    pub(super) fn unusable(&self, reason: String) -> TemplateError {
        TemplateError::Image { template: self.template.to_owned(), reason }
    }

    fn of_unpacking(&self, error: UnpackError, expected: &Digest) -> TemplateError {
        match error {
            // The transfer knows why, and says so instead.
            UnpackError::Source(error) => FileError::io("read", &self.part)(error).into(),
            UnpackError::Damaged { served, .. } if served != *expected => {
                self.mismatch(&served, expected)
            }
            UnpackError::Damaged { reason, .. } => self.unusable(reason),
            UnpackError::File(error) => error.into(),
        }
    }

    fn warn_of_weak(&self, expected: &Digest) {
        if expected.algorithm() == DigestAlgorithm::Sha1 {
            tracing::warn!(
                "the repository identifies {} by a SHA-1, which can be forged; give it a SHA-256",
                self.template
            );
        }
    }

    /// Removes what is of no use after a failure.
    fn tidied<T>(&self, result: Result<T, TemplateError>) -> Result<T, TemplateError> {
        let Err(error) = &result else { return result };
        remove(&self.image);
        let continuable =
            matches!(error, TemplateError::Transfer(error) if error.leaves_something_to_continue());
        if !continuable {
            forget(&self.part);
        }
        result
    }
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::error!("cannot remove the incomplete {}: {error}", path.display());
        }
        _ => {}
    }
}
