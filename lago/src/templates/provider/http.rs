//! Images on a web server.

use std::net::IpAddr;

use reqwest::Url;
use reqwest::header::HeaderMap;

use super::{ImageEntry, Metadata, TemplateProvider, is_below, listed_digest};
use crate::templates::digest::Digest;
use crate::templates::download::ImageDownload;
use crate::templates::error::TemplateError;
use crate::templates::transfer::{Remote, Transfer, TransferError, shown};

/// What is taken for a file of digests or metadata. Debian's lists of one release have some ten kilobytes.
const MAX_DOCUMENT: u64 = 4 << 20;

/// The suffix of compressed images in Lago's repositories, which their manifests leave out.
const COMPRESSED: &str = ".xz";

/// Images below an `http` or `https` address and, beside each, what the manifest does not have: its digest (`.hash`) and
/// metadata (`.metadata`). An image that is not there is looked for with `.xz` behind its name, as Lago does.
#[derive(Debug, Clone)]
pub struct HttpTemplateProvider {
    base: Option<Url>,
}

impl HttpTemplateProvider {
    /// The images below `base_url`. Without it, handles are whole addresses.
    pub fn new(base_url: Option<&str>) -> Result<Self, TransferError> {
        let base = base_url.map(base).transpose()?;
        Ok(Self { base })
    }

    /// The address of `name`, which is below the base.
    fn locate(&self, name: &str) -> Result<Url, TemplateError> {
        let Some(base) = &self.base else { return Ok(Remote::parse(name)?.url().clone()) };
        if !is_below(name) {
            return Err(TemplateError::Escapes {
                handle: name.to_owned(),
                root: shown(base).into(),
            });
        }
        let mut url = base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(name.split('/').filter(|part| !matches!(*part, "" | ".")));
        }
        Ok(url)
    }

    fn beside(&self, handle: &str, suffix: &str) -> Result<Url, TemplateError> {
        let mut url = self.locate(handle)?;
        url.set_path(&format!("{}{suffix}", url.path()));
        Ok(url)
    }

    /// The file of digests that the manifest names: a whole address, or something below the base.
    fn checksum_file(&self, name: &str) -> Result<Url, TemplateError> {
        match Url::parse(name) {
            Ok(_) => Ok(Remote::parse(name)?.url().clone()),
            Err(_) => self.locate(name),
        }
    }

    /// What is beside the image, or beside its compressed form.
    fn find_beside(
        &self,
        handle: &str,
        suffix: &str,
        transfer: &Transfer,
    ) -> Result<(Url, String), TemplateError> {
        let plain = self.beside(handle, suffix)?;
        match text(transfer, &plain) {
            Err(error) if error.is_not_found() => {
                let compressed = self.beside(handle, &format!("{COMPRESSED}{suffix}"))?;
                match text(transfer, &compressed) {
                    Ok(text) => Ok((compressed, text)),
                    Err(second) if second.is_not_found() => Err(error.into()),
                    Err(second) => Err(second.into()),
                }
            }
            found => Ok((plain, found?)),
        }
    }

    fn fetch(
        &self,
        image: &ImageEntry,
        download: &ImageDownload<'_>,
        expected: &Digest,
    ) -> Result<(), TemplateError> {
        let plain = self.locate(&image.handle)?;
        match download.fetch(&Remote::from(plain), expected) {
            Err(TemplateError::Transfer(error)) if error.is_not_found() => {
                let compressed = self.beside(&image.handle, COMPRESSED)?;
                match download.fetch(&Remote::from(compressed), expected) {
                    Err(TemplateError::Transfer(second)) if second.is_not_found() => {
                        Err(error.into())
                    }
                    fetched => fetched,
                }
            }
            fetched => fetched,
        }
    }
}

impl TemplateProvider for HttpTemplateProvider {
    fn is_local(&self) -> bool {
        false
    }

    fn location(&self, image: &ImageEntry) -> String {
        self.locate(&image.handle).map_or_else(|_| image.handle.clone(), |url| shown(&url))
    }

    fn get_hash(&self, image: &ImageEntry, transfer: &Transfer) -> Result<Digest, TemplateError> {
        if let Some(hash) = &image.hash {
            return Ok(hash.clone());
        }
        if let Some(name) = &image.checksum_url {
            let url = self.checksum_file(name)?;
            warn_of_plain_http(&url);
            return listed_digest(
                &text(transfer, &url)?,
                url.path(),
                self.locate(&image.handle)?.path(),
            );
        }
        match self.find_beside(&image.handle, ".hash", transfer) {
            Ok((url, text)) => {
                warn_of_plain_http(&url);
                text.parse().map_err(|source| TemplateError::Hash { path: shown(&url), source })
            }
            Err(TemplateError::Transfer(error)) if error.is_not_found() => {
                Err(TemplateError::NoHash { source: error })
            }
            Err(error) => Err(error),
        }
    }

    fn get_metadata(
        &self,
        image: &ImageEntry,
        transfer: &Transfer,
    ) -> Result<Metadata, TemplateError> {
        if image.hash.is_some() || image.checksum_url.is_some() {
            // A repository that is not one of Lago's form has none, and need not be asked.
            return Ok(Metadata::new());
        }
        match self.find_beside(&image.handle, ".metadata", transfer) {
            Ok((url, text)) => serde_json::from_str(&text)
                .map_err(|source| TemplateError::Metadata { url: shown(&url), source }),
            Err(TemplateError::Transfer(error)) if error.is_not_found() => Ok(Metadata::new()),
            Err(error) => Err(error),
        }
    }

    fn download_image(
        &self,
        image: &ImageEntry,
        download: &ImageDownload<'_>,
    ) -> Result<Digest, TemplateError> {
        let expected = self.get_hash(image, download.transfer())?;
        let mismatch = match self.fetch(image, download, &expected) {
            Ok(()) => return Ok(expected),
            Err(error @ TemplateError::Mismatch { .. }) if image.hash.is_none() => error,
            Err(error) => return Err(error),
        };
        // The image of a moving address may have been replaced between its digest and itself.
        let now = self.get_hash(image, download.transfer())?;
        if now == expected {
            return Err(mismatch);
        }
        tracing::warn!("{} was replaced on its server, fetching the new one", image.handle);
        self.fetch(image, download, &now)?;
        Ok(now)
    }
}

/// An address to which names can be added.
fn base(text: &str) -> Result<Url, TransferError> {
    let mut url = Remote::parse(text)?.url().clone();
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

fn text(transfer: &Transfer, url: &Url) -> Result<String, TransferError> {
    let remote = Remote::from(url.clone());
    let content =
        transfer.document(&remote, &HeaderMap::new(), "a list of digests", MAX_DOCUMENT)?;
    Ok(String::from_utf8_lossy(&content).into_owned())
}

/// A digest that comes in the clear proves only that nothing was damaged.
fn warn_of_plain_http(url: &Url) {
    if url.scheme() == "http" && !is_loopback(url.host_str().unwrap_or_default()) {
        tracing::warn!(
            "{} is not encrypted: whoever is on the way can change the image and its digest; write the digest into the \
             manifest, or use https",
            shown(url)
        );
    }
}

/// Whether a host is this machine.
pub(in crate::templates) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn located(base: &str, handle: &str) -> Result<String, String> {
        let provider = HttpTemplateProvider::new(Some(base)).unwrap();
        provider.locate(handle).map(String::from).map_err(|error| error.to_string())
    }

    #[test]
    fn handles_stay_below_the_base() {
        for base in ["https://x/images", "https://x/images/"] {
            assert_eq!(located(base, "a/disk.img"), Ok("https://x/images/a/disk.img".into()));
            assert_eq!(located(base, "./disk.img"), Ok("https://x/images/disk.img".into()));
            assert_eq!(
                located(base, "a?b#c%2e d"),
                Ok("https://x/images/a%3Fb%23c%252e%20d".into())
            );
            for handle in ["", "../disk", "a/../../disk", "/disk"] {
                assert!(located(base, handle).unwrap_err().contains("leads out"), "{handle}");
            }
            assert_eq!(located(base, "https://y/z"), Ok("https://x/images/https:/y/z".into()));
        }
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        for host in ["localhost", "127.0.0.1", "127.1.2.3", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "localhost.example.org", "10.0.0.1", "[::2]", "127.0.0.1.example.org"] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn only_web_addresses_are_taken() {
        for base in ["ftp://x/", "file:///etc", "x/y", ""] {
            HttpTemplateProvider::new(Some(base)).unwrap_err();
        }
        let whole = HttpTemplateProvider::new(None).unwrap();
        assert_eq!(whole.locate("https://x/disk?key=1").unwrap().as_str(), "https://x/disk?key=1");
        whole.locate("file:///etc/shadow").unwrap_err();
        assert_eq!(
            whole.beside("https://x/disk?key=1", ".hash").unwrap().as_str(),
            "https://x/disk.hash?key=1"
        );
    }
}
