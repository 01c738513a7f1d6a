//! The files of one image in the store.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// What is beside an image, by the end of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// The image itself.
    Image,
    /// Its digest, for people and for Lago.
    Hash,
    /// What is known about it.
    Metadata,
    /// The store's record.
    Stored,
    /// Its users.
    Users,
    /// The lock, held by whoever changes any of them.
    Lock,
    /// What has come over the network.
    Part,
    /// How far that is.
    PartState,
    /// The image while it is written.
    New,
}

const KINDS: [(Kind, &str); 9] = [
    (Kind::Hash, ".hash"),
    (Kind::Metadata, ".metadata"),
    (Kind::Stored, ".stored"),
    (Kind::Users, ".users"),
    (Kind::Lock, ".lock"),
    (Kind::PartState, ".part.json"),
    (Kind::Part, ".part"),
    (Kind::New, ".new"),
    // Last: every name ends with nothing.
    (Kind::Image, ""),
];

impl Kind {
    pub(super) const ALL: [(Self, &'static str); 9] = KINDS;

    fn suffix(self) -> &'static str {
        KINDS.iter().find(|(kind, _)| *kind == self).map_or("", |(_, suffix)| suffix)
    }
}

/// The file of that kind of the image `name`.
pub(super) fn file(store: &Path, name: &str, kind: Kind) -> PathBuf {
    store.join(format!("{name}{}", kind.suffix()))
}

/// The name of the image to which a file of the store belongs, and what the file is.
pub(super) fn parse(file: &OsStr) -> Option<(&str, Kind)> {
    let file = file.to_str()?;
    let (kind, name) =
        KINDS.iter().find_map(|(kind, suffix)| Some((*kind, file.strip_suffix(suffix)?)))?;
    is_name(name).then_some((name, kind))
}

/// Whether a text is `repository:template:version`.
fn is_name(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    parts.len() == 3
        && parts.iter().all(|part| part.starts_with(|c: char| c.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart_by_their_ends() {
        for (kind, _) in Kind::ALL {
            let path = file(Path::new("/store"), "office:disk:v1", kind);
            assert_eq!(parse(path.file_name().unwrap()), Some(("office:disk:v1", kind)));
        }
        for other in ["lock", ".new-abc", "a:b", "a:b:c:d", "a::c", ".a:b:c"] {
            assert_eq!(parse(OsStr::new(other)), None, "{other}");
        }
    }
}
