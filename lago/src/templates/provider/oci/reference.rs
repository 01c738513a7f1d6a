//! The names of images in container registries.

use std::fmt;
use std::str::FromStr;

use crate::templates::digest::Digest;
use crate::templates::provider::http::is_loopback;

/// How an address of an image in a registry begins.
pub(in crate::templates) const SCHEME: &str = "oci://";

/// The longest tag, and what a name may consist of: the distribution specification, section "Pulling manifests".
const MAX_TAG: usize = 128;

/// An image in a registry: `oci://registry/repository:tag`, `oci://registry/repository@sha256:digest`, or both.
///
/// ```
/// use lago::templates::Reference;
///
/// let reference: Reference = "oci://quay.io/containerdisks/fedora:43".parse().unwrap();
/// assert_eq!(reference.registry(), "quay.io");
/// assert_eq!(reference.repository(), "containerdisks/fedora");
/// assert_eq!(reference.tag(), "43");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: String,
    digest: Option<Digest>,
}

/// A text that names no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` names no image in a registry: {reason}; write oci://REGISTRY/REPOSITORY[:TAG][@sha256:DIGEST]"
)]
pub struct ReferenceError {
    text: String,
    reason: &'static str,
}

impl Reference {
    /// The registry's host, with its port if it has one.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The name of the repository in the registry.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag; `latest` if none is given.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The digest of the manifest, if it is given. It counts more than the tag.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The address of the registry's interface for this repository. Only a registry on this machine is talked to without TLS.
    pub(super) fn api(&self) -> String {
        let host = match self.registry.as_str() {
            "docker.io" => "registry-1.docker.io",
            other => other,
        };
        let scheme = if self.is_local() { "http" } else { "https" };
        format!("{scheme}://{host}/v2/{}", self.repository)
    }

    pub(super) fn is_local(&self) -> bool {
        is_loopback(host_of(&self.registry))
    }
}

/// A host without its port.
fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let wrong = |reason| ReferenceError { text: text.to_owned(), reason };
        let rest =
            text.strip_prefix(SCHEME).ok_or_else(|| wrong("it does not begin with oci://"))?;
        let (registry, rest) = rest.split_once('/').ok_or_else(|| wrong("it has no repository"))?;
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (rest, None),
        };
        let digest = digest
            .map(|digest| digest.parse().map_err(|_| wrong("what is behind `@` is no digest")))
            .transpose()?;
        let (repository, tag) = rest.split_once(':').unwrap_or((rest, "latest"));
        if !is_authority(registry) {
            return Err(wrong("the registry is no host"));
        }
        if !repository.split('/').all(is_component) {
            return Err(wrong(
                "a repository has lower-case letters, digits, `.`, `-`, `_` and `/`",
            ));
        }
        if !is_tag(tag) {
            return Err(wrong("a tag has letters, digits, `.`, `-` and `_`"));
        }
        let (registry, repository, tag) =
            (registry.to_owned(), repository.to_owned(), tag.to_owned());
        Ok(Self { registry, repository, tag, digest })
    }
}

fn is_authority(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[') && text.chars().all(allowed)
}

fn is_component(text: &str) -> bool {
    let allowed =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_');
    text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.chars().all(allowed)
}

fn is_tag(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (1..=MAX_TAG).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text.chars().all(allowed)
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}:{}", self.registry, self.repository, self.tag)?;
        match &self.digest {
            Some(digest) => write!(f, "@{}", digest.with_algorithm()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(text: &str) -> String {
        text.parse::<Reference>().unwrap().api()
    }

    #[test]
    fn references_are_read_and_written() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for text in [
            "oci://quay.io/containerdisks/fedora:43".to_owned(),
            "oci://localhost:5000/disk:v1.2_3-x".to_owned(),
            format!("oci://ghcr.io/a/b/c:latest@{digest}"),
            "oci://[::1]:5000/disk:1".to_owned(),
        ] {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), text);
        }
        let bare: Reference = format!("oci://ghcr.io/disk@{digest}").parse().unwrap();
        assert_eq!(
            (bare.tag(), bare.digest().unwrap().as_hex()),
            ("latest", "a".repeat(64).as_str())
        );
    }

    #[test]
    fn only_this_machine_is_talked_to_without_tls() {
        assert_eq!(api("oci://quay.io/a/b"), "https://quay.io/v2/a/b");
        assert_eq!(api("oci://registry.lan:5000/a"), "https://registry.lan:5000/v2/a");
        assert_eq!(api("oci://docker.io/library/a"), "https://registry-1.docker.io/v2/library/a");
        assert_eq!(api("oci://localhost:5000/a"), "http://localhost:5000/v2/a");
        assert_eq!(api("oci://127.0.0.1:5000/a"), "http://127.0.0.1:5000/v2/a");
        assert_eq!(api("oci://[::1]:5000/a"), "http://[::1]:5000/v2/a");
        assert_eq!(api("oci://localhost.example.org/a"), "https://localhost.example.org/v2/a");
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "quay.io/a",
            "oci://quay.io",
            "oci:///a",
            "oci://quay.io/",
            "oci://quay.io/a//b",
            "oci://quay.io/../a",
            "oci://quay.io/A",
            "oci://quay.io/a:",
            "oci://quay.io/a:b/c",
            "oci://quay.io/a?b",
            "oci://user@quay.io/a",
            "oci://quay.io/a@sha256:abc",
            "oci://quay.io/a@",
        ] {
            text.parse::<Reference>().unwrap_err();
        }
    }
}
