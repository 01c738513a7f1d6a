//! An image at an address, of which no manifest knows.

use std::fs;
use std::path::{Path, PathBuf};

use reqwest::Url;

use super::digest::Digest;
use super::download::ImageDownload;
use super::error::TemplateError;
use super::provider::{HttpTemplateProvider, ImageEntry, TemplateProvider as _};
use super::store::STORE_LOCK_LIMIT;
use super::transfer::{Remote, Transfer};
use crate::dirlock::{Mode, lock_file};
use crate::utils::{FileError, create_dir};

/// Where checksum files of an image usually are: beside it under its name and more, or in its directory.
const BESIDE: [&str; 5] = [".sha256", ".sha512", ".SHA256SUM", ".CHECKSUM", ".hash"];
const IN_DIRECTORY: [&str; 3] = ["SHA256SUMS", "SHA512SUMS", "CHECKSUM"];

/// Fetches the file at an `http` or `https` address to `target`, unless that is there already, and compares it with the digest
/// that a checksum file beside it, or in its directory, lists. What is compressed is decompressed.
///
/// # Errors
/// When it cannot be fetched, has another digest, or none is listed where distributions list them. `target` is not there then.
pub fn fetch_file(url: &str, target: &Path) -> Result<(), TemplateError> {
    if let Some(dir) = target.parent() {
        create_dir(dir)?;
    }
    let (lock_path, part) = (beside(target, ".lock"), beside(target, ".part"));
    let lock = lock_file(&lock_path, Mode::Exclusive, STORE_LOCK_LIMIT)?;
    let fetched = if target.exists() { Ok(()) } else { fetch(url, target, &part) };
    // Those who wait for it make a new one.
    fs::remove_file(&lock_path).map_err(FileError::io("remove", &lock_path))?;
    drop(lock);
    fetched
}

fn fetch(url: &str, target: &Path, part: &Path) -> Result<(), TemplateError> {
    let transfer = Transfer::shared();
    let remote = Remote::parse(url)?;
    let _span = tracing::info_span!("download", url = remote.shown()).entered();
    let checksum_url = find_checksum_file(remote.url(), &transfer)?;
    let digest = listed_at(remote.url(), &checksum_url, &transfer)?;
    let (name, new) = (remote.shown(), beside(target, ".new"));
    ImageDownload::new(&name, &new, part, &transfer).fetch(&remote, &digest)?;
    Ok(fs::rename(&new, target).map_err(FileError::io("write", target))?)
}

/// A file beside another one, which it belongs to.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// The digest of the image at `url` as the checksum file at `checksum_url` lists it.
pub(super) fn listed_at(
    url: &Url,
    checksum_url: &str,
    transfer: &Transfer,
) -> Result<Digest, TemplateError> {
    let image = ImageEntry {
        handle: url.to_string(),
        hash: None,
        checksum_url: Some(checksum_url.to_owned()),
    };
    HttpTemplateProvider::new(None)?.get_hash(&image, transfer)
}

/// The first of the usual checksum files that lists the image.
///
/// # Errors
/// When none does: where it was looked for.
pub(super) fn find_checksum_file(url: &Url, transfer: &Transfer) -> Result<String, TemplateError> {
    let candidates = candidates(url);
    for candidate in &candidates {
        match listed_at(url, candidate, transfer) {
            Ok(_) => return Ok(candidate.clone()),
            Err(TemplateError::Transfer(error)) if !error.is_refusal() => return Err(error.into()),
            Err(error) => tracing::debug!("{error}"),
        }
    }
    Err(TemplateError::NoChecksumFile { url: super::transfer::shown(url), tried: candidates })
}

fn candidates(url: &Url) -> Vec<String> {
    let beside = BESIDE.iter().map(|suffix| {
        let mut beside = url.clone();
        beside.set_path(&format!("{}{suffix}", url.path()));
        String::from(beside)
    });
    let around = IN_DIRECTORY.iter().filter_map(|name| url.join(name).ok()).map(String::from);
    beside.chain(around).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_files_are_looked_for_where_distributions_put_them() {
        let candidates = candidates(&Url::parse("https://x/images/disk.qcow2").unwrap());
        assert_eq!(candidates[0], "https://x/images/disk.qcow2.sha256");
        assert!(candidates.contains(&"https://x/images/SHA512SUMS".to_owned()), "{candidates:?}");
    }
}
