//! Templates that the user adds one by one, in a manifest of their own.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use indexmap::IndexMap;

use super::digest::Digest;
use super::error::TemplateError;
use super::manifest::{Manifest, Source, TemplateEntry, VersionEntry, check_name};
use super::provider::{
    ImageEntry, Metadata, OCI_SCHEME, OciTemplateProvider, Reference, TemplateProvider as _,
};
use super::repos::TemplateRepos;
use super::single::{find_checksum_file, listed_at};
use super::transfer::{Remote, Transfer};
use crate::utils::{read_json, write_json};

/// The name of the user's own repository.
const REPOSITORY: &str = "user";

/// Extensions that are not part of an image's name.
const EXTENSIONS: [&str; 8] = [".xz", ".gz", ".zst", ".qcow2", ".img", ".raw", ".hash", ".tar"];

/// A template to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTemplate {
    /// Where the image is: an `http`, `https` or `oci` address.
    pub url: String,
    /// What it is called; otherwise as the address ends.
    pub name: Option<String>,
    /// Its digest; that of the manifest for an image in a registry.
    pub hash: Option<Digest>,
    /// Where its digest is listed.
    pub checksum_url: Option<String>,
}

/// A template that was added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedTemplate {
    /// Its name, for init files.
    pub name: String,
    /// The name of the version.
    pub version: String,
    /// Its digest, or where that is listed.
    pub verified_by: String,
    /// The manifest that it is in.
    pub manifest: PathBuf,
}

impl TemplateRepos {
    /// Adds a template to the user's own manifest; under a name that is there already, as its newest version.
    ///
    /// Without a digest, one is looked for where distributions put them. Of an image in a registry, the digest that its tag
    /// stands for now is noted.
    ///
    /// # Errors
    /// When there is no digest: nothing is ever used unverified.
    pub fn add_template(
        &self,
        new: &NewTemplate,
        transfer: &Transfer,
    ) -> Result<AddedTemplate, TemplateError> {
        let name = new.name.clone().unwrap_or_else(|| name_of(&new.url));
        check_name("template", &name).map_err(|reason| TemplateError::Name { reason })?;
        let entry = if new.url.starts_with(OCI_SCHEME) {
            registry_entry(new, transfer)?
        } else {
            web_entry(new, transfer)?
        };
        let _lock = self.lock()?;
        let mut manifest = self.user_manifest()?;
        let versions = &mut manifest.templates.entry(name.clone()).or_default().versions;
        let version = version_of(versions, entry);
        let verified_by = verified_by(&versions[&version]);
        write_json(&self.user_path(), &manifest)?;
        Ok(AddedTemplate { name, version, verified_by, manifest: self.user_path() })
    }

    /// Removes a template from the user's own manifest. Its image stays in the store until that is pruned.
    ///
    /// # Errors
    /// When it is not there.
    pub fn remove_template(&self, name: &str) -> Result<(), TemplateError> {
        let _lock = self.lock()?;
        let mut manifest = self.user_manifest()?;
        if manifest.templates.shift_remove(name).is_none() {
            let known = manifest.templates.keys().cloned().collect();
            return Err(TemplateError::NoTemplate {
                repository: REPOSITORY.to_owned(),
                name: name.to_owned(),
                known,
            });
        }
        Ok(write_json(&self.user_path(), &manifest)?)
    }

    fn user_path(&self) -> PathBuf {
        self.path().join(format!("{REPOSITORY}.json"))
    }

    fn user_manifest(&self) -> Result<Manifest, TemplateError> {
        let path = self.user_path();
        if path.exists() {
            return Ok(read_json(&path)?);
        }
        let sources =
            [("web", Source::Http { baseurl: None }), ("registry", Source::Oci { baseurl: None })];
        Ok(Manifest {
            name: REPOSITORY.to_owned(),
            templates: IndexMap::<String, TemplateEntry>::new(),
            sources: sources.map(|(name, source)| (name.to_owned(), source)).into_iter().collect(),
        })
    }
}

/// The name of the version with this content, which is the newest one from now on.
fn version_of(versions: &mut IndexMap<String, VersionEntry>, entry: VersionEntry) -> String {
    let same = |old: &VersionEntry| {
        (&old.handle, &old.hash, &old.checksum_url)
            == (&entry.handle, &entry.hash, &entry.checksum_url)
    };
    let known = versions.iter().find(|(_, old)| same(old)).map(|(name, _)| name.clone());
    // One number more than there are versions, so that one is free.
    let mut numbers = versions.len() + 1..=2 * versions.len() + 1;
    let mut free = || {
        numbers.find_map(|number| {
            let name = format!("v{number}");
            (!versions.contains_key(&name)).then_some(name)
        })
    };
    let name = known.or_else(&mut free).expect("there are enough numbers");
    versions.insert(name.clone(), entry);
    name
}

fn verified_by(entry: &VersionEntry) -> String {
    match (&entry.hash, &entry.checksum_url) {
        (Some(hash), _) => hash.with_algorithm(),
        (None, url) => url.clone().unwrap_or_default(),
    }
}

fn web_entry(new: &NewTemplate, transfer: &Transfer) -> Result<VersionEntry, TemplateError> {
    let url = Remote::parse(&new.url)?.url().clone();
    let checksum_url = match (&new.hash, &new.checksum_url) {
        (Some(_), _) => None,
        (None, Some(listed)) => {
            listed_at(&url, listed, transfer)?;
            Some(listed.clone())
        }
        (None, None) => Some(find_checksum_file(&url, transfer)?),
    };
    Ok(VersionEntry { checksum_url, ..entry("web", url.as_str(), new.hash.clone()) })
}

fn registry_entry(new: &NewTemplate, transfer: &Transfer) -> Result<VersionEntry, TemplateError> {
    if new.checksum_url.is_some() {
        let reason =
            "an image in a registry has its digest there; --checksum-url is for files".to_owned();
        return Err(TemplateError::Name { reason });
    }
    let reference: Reference = new.url.parse()?;
    let provider = OciTemplateProvider::new(None)?;
    let handle = reference.to_string();
    let image = ImageEntry { handle: handle.clone(), hash: new.hash.clone(), checksum_url: None };
    Ok(entry("registry", &handle, Some(provider.get_hash(&image, transfer)?)))
}

fn entry(source: &str, handle: &str, hash: Option<Digest>) -> VersionEntry {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    VersionEntry {
        source: source.to_owned(),
        handle: handle.to_owned(),
        timestamp: i64::try_from(now).unwrap_or(i64::MAX),
        hash,
        checksum_url: None,
        metadata: Metadata::new(),
    }
}

/// The last part of an address, without what it only says about the file.
fn name_of(url: &str) -> String {
    if let Ok(reference) = url.parse::<Reference>() {
        let last = reference.repository().rsplit('/').next().unwrap_or_default();
        return match reference.tag() {
            "latest" => last.to_owned(),
            tag => format!("{last}-{tag}"),
        };
    }
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let mut name = path.rsplit('/').next().unwrap_or_default();
    while let Some(stem) = EXTENSIONS.iter().find_map(|suffix| name.strip_suffix(suffix)) {
        name = stem;
    }
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_called_as_its_address_ends() {
        for (url, name) in [
            ("https://x/images/debian-12-genericcloud-amd64.qcow2", "debian-12-genericcloud-amd64"),
            ("https://x/disk.raw.xz?key=1", "disk"),
            ("oci://quay.io/containerdisks/fedora:43", "fedora-43"),
            ("oci://localhost:5000/disk", "disk"),
        ] {
            assert_eq!(name_of(url), name, "{url}");
        }
    }

    #[test]
    fn the_same_image_is_the_same_version() {
        let mut versions = IndexMap::new();
        let one = || entry("web", "https://x/a", Some("a".repeat(64).parse().unwrap()));
        let two = || entry("web", "https://x/a", Some("b".repeat(64).parse().unwrap()));
        assert_eq!(version_of(&mut versions, one()), "v1");
        assert_eq!(version_of(&mut versions, two()), "v2");
        assert_eq!(version_of(&mut versions, one()), "v1");
        versions.shift_remove("v1");
        assert_eq!(version_of(&mut versions, one()), "v3");
    }
}
