//! The manifest of a template repository, as it is written.

use indexmap::IndexMap;
use serde::de::{Error as _, Unexpected};
use serde::{Deserialize, Deserializer, Serialize};

use super::digest::Digest;
use super::provider::Metadata;

/// A whole manifest.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) name: String,
    pub(super) templates: IndexMap<String, TemplateEntry>,
    pub(super) sources: IndexMap<String, Source>,
}

/// A template.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct TemplateEntry {
    pub(super) versions: IndexMap<String, VersionEntry>,
}

/// A version of a template.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct VersionEntry {
    pub(super) source: String,
    pub(super) handle: String,
    #[serde(deserialize_with = "timestamp")]
    pub(super) timestamp: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) hash: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) checksum_url: Option<String>,
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub(super) metadata: Metadata,
}

/// Where the images of several versions are.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", content = "args", rename_all = "lowercase")]
pub(super) enum Source {
    File {
        root: String,
    },
    #[serde(alias = "https")]
    Http {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        baseurl: Option<String>,
    },
    Oci {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        baseurl: Option<String>,
    },
}

/// Seconds since 1970, as a number or, as most of Lago's manifests have it, as a string.
fn timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Timestamp {
        Number(i64),
        Text(String),
    }
    match Timestamp::deserialize(deserializer)? {
        Timestamp::Number(number) => Ok(number),
        Timestamp::Text(text) => text.trim().parse().map_err(|_| {
            D::Error::invalid_value(Unexpected::Str(&text), &"seconds since 1970, a whole number")
        }),
    }
}

/// The longest name.
const NAME_LENGTH: usize = 64;

/// Names become parts of file names in the store.
pub(super) fn check_name(kind: &str, name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+');
    let good = name.len() <= NAME_LENGTH
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(allowed);
    if good {
        return Ok(());
    }
    Err(format!(
        "`{}` cannot be the name of a {kind}: use 1 to {NAME_LENGTH} letters, digits, `.`, `-`, `_` and `+`, \
         beginning with a letter or a digit",
        name.escape_debug()
    ))
}
