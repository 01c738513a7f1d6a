//! What is known about a file that has not come completely yet, kept beside it so that another process can go on.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use reqwest::Url;
use reqwest::header::{ACCEPT_RANGES, CONTENT_LENGTH, ETAG, HeaderMap, LAST_MODIFIED};
use serde::{Deserialize, Serialize};

use super::client::{Remote, text};
use super::options::TransferOptions;

/// The progress of one file. It stays true when the process is killed: what it says has come is in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// Where the file was asked for.
    pub(super) url: Url,
    /// Where that led. Other parts come from there too: another mirror may have another file.
    pub(super) location: Url,
    /// What tells whether the server still has the same file.
    pub(super) validator: Option<Validator>,
    /// The length of the file, if the server said it.
    pub(super) length: Option<u64>,
    /// The parts, in the order of the file and without gaps.
    pub(super) parts: Vec<Part>,
}

/// Whether a large file may come in parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Division {
    /// If the server says that it can.
    IfPossible,
    /// Not again: it said so, and could not.
    Whole,
}

/// What identifies a version of a file on its server (RFC 9110, section 8.8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Validator {
    /// A strong entity tag.
    ETag(String),
    /// The time of the last change, as the server writes it.
    LastModified(String),
}

/// A piece of the file, up to `end` or, where the length is not known, to the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) start: u64,
    pub(super) end: Option<u64>,
    /// How much of it has come.
    pub(super) done: u64,
    /// Whether all has come.
    pub(super) complete: bool,
}

impl Validator {
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let strong = text(headers, &ETAG).filter(|tag| tag.starts_with('"'));
        match strong {
            Some(tag) => Some(Self::ETag(tag.to_owned())),
            None => text(headers, &LAST_MODIFIED).map(|time| Self::LastModified(time.to_owned())),
        }
    }

    /// The value of `If-Range`.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::ETag(value) | Self::LastModified(value) => value,
        }
    }
}

impl Part {
    /// What has to come yet; `None` where nobody knows.
    pub(super) fn left(&self) -> Option<u64> {
        Some(self.end? - self.start - self.done)
    }

    /// The place in the file where it goes on.
    pub(super) fn position(&self) -> u64 {
        self.start + self.done
    }
}

impl State {
    /// Nothing has come yet; the server's answer to a request for the whole file tells what there is.
    pub(super) fn new(
        remote: &Remote,
        location: &Url,
        headers: &HeaderMap,
        division: Division,
        options: &TransferOptions,
    ) -> Self {
        let said = text(headers, &CONTENT_LENGTH).and_then(|length| length.parse().ok());
        let length = said.or(remote.size);
        let validator = Validator::of(headers);
        let ranges = text(headers, &ACCEPT_RANGES).is_some_and(|units| units.trim() == "bytes");
        let allowed = division == Division::IfPossible && options.connections > 1;
        let parallel = allowed && ranges && validator.is_some();
        let parts = match length {
            Some(length) if parallel && length >= options.parallel_from => {
                split(length, options.part_size)
            }
            end => vec![Part { start: 0, end, done: 0, complete: end == Some(0) }],
        };
        let (url, location) = (remote.url.clone(), location.clone());
        Self { url, location, validator, length, parts }
    }

    /// What an earlier process left beside the file, if it belongs to the same address and can be continued.
    pub(super) fn load(file: &Path, url: &Url) -> Option<Self> {
        let content = fs::read(path(file)).ok()?;
        let state: Self = serde_json::from_slice(&content).ok()?;
        let present = fs::metadata(file).ok()?.len();
        let has_all = state.parts.iter().all(|part| part.done == 0 || part.position() <= present);
        (state.url == *url && state.validator.is_some() && state.is_sound() && has_all)
            .then_some(state)
    }

    /// Whether the parts cover the file. A power cut may have left anything.
    fn is_sound(&self) -> bool {
        let mut next = 0;
        for part in &self.parts {
            let inside =
                part.end.is_none_or(|end| end >= part.start && part.done <= end - part.start);
            let all = part.end.is_none_or(|end| !part.complete || part.position() == end);
            if part.start != next || !inside || !all {
                return false;
            }
            next = part.end.unwrap_or(part.position());
        }
        !self.parts.is_empty() && self.length.is_none_or(|length| length == next)
    }

    /// Keeps it beside the file. It is not forced onto the disk: that is for a killed process, not for a power cut, after
    /// which the digest decides.
    pub(super) fn save(&self, file: &Path) -> std::io::Result<()> {
        let path = path(file);
        let dir = path.parent().unwrap_or(Path::new("."));
        let mut new = tempfile::Builder::new().prefix(".new-").tempfile_in(dir)?;
        new.write_all(&serde_json::to_vec(self)?)?;
        new.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    pub(super) fn is_complete(&self) -> bool {
        self.parts.iter().all(|part| part.complete)
    }

    /// How much has come.
    pub(super) fn done(&self) -> u64 {
        self.parts.iter().map(|part| part.done).sum()
    }
}

fn split(length: u64, size: u64) -> Vec<Part> {
    let starts = (0..length).step_by(usize::try_from(size.max(1)).unwrap_or(usize::MAX));
    let part = |start| {
        let end = length.min(start + size.max(1));
        Part { start, end: Some(end), done: 0, complete: false }
    };
    starts.map(part).collect()
}

/// The file that holds the state of `file`.
pub(in crate::templates) fn path(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".json");
    name.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (reqwest::header::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    fn state(pairs: &[(&'static str, &str)]) -> State {
        let url = Url::parse("http://x/disk").unwrap();
        let options =
            TransferOptions { parallel_from: 100, part_size: 40, ..TransferOptions::default() };
        State::new(
            &Remote::from(url.clone()),
            &url,
            &headers(pairs),
            Division::IfPossible,
            &options,
        )
    }

    #[test]
    fn a_large_file_is_split_where_the_server_allows_it() {
        let bounds = |state: State| -> Vec<_> {
            state.parts.iter().map(|part| (part.start, part.end)).collect()
        };
        let large = [("content-length", "100"), ("accept-ranges", "bytes"), ("etag", "\"1\"")];
        assert_eq!(bounds(state(&large)), [(0, Some(40)), (40, Some(80)), (80, Some(100))]);
        for missing in 0..3 {
            let mut some = large.to_vec();
            some.remove(missing);
            assert_eq!(state(&some).parts.len(), 1, "{some:?}");
        }
        let small = [("content-length", "99"), ("accept-ranges", "bytes"), ("etag", "\"1\"")];
        assert_eq!(bounds(state(&small)), [(0, Some(99))]);
    }

    #[test]
    fn a_weak_tag_does_not_tell_bytes_apart() {
        let weak = [("etag", "W/\"1\""), ("last-modified", "Fri, 27 Nov 2026 10:00:00 GMT")];
        let time = "Fri, 27 Nov 2026 10:00:00 GMT".to_owned();
        assert_eq!(state(&weak).validator, Some(Validator::LastModified(time)));
        assert_eq!(state(&weak[..1]).validator, None);
    }

    #[test]
    fn what_is_left_is_taken_up_only_if_it_belongs_to_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("disk.part");
        let mut left = state(&[("content-length", "10"), ("etag", "\"1\"")]);
        left.parts[0].done = 4;
        let load = |url: &str| State::load(&file, &Url::parse(url).unwrap());
        left.save(&file).unwrap();
        assert_eq!(load("http://x/disk"), None, "the file is gone");
        fs::write(&file, "abc").unwrap();
        assert_eq!(load("http://x/disk"), None, "the file is shorter");
        fs::write(&file, "abcdefghij").unwrap();
        assert_eq!(load("http://x/disk"), Some(left.clone()));
        assert_eq!(load("http://x/other"), None);
        left.parts[0].end = Some(11);
        left.save(&file).unwrap();
        assert_eq!(load("http://x/disk"), None, "the parts do not cover the file");
        fs::write(path(&file), "{").unwrap();
        assert_eq!(load("http://x/disk"), None);
    }

    proptest! {
        #[test]
        fn parts_cover_the_file_without_gaps(length in 1_u64..10_000, size in 1_u64..3_000) {
            let parts = split(length, size);
            prop_assert!(parts.iter().all(|part| part.left().unwrap() <= size));
            let url = Url::parse("http://x/").unwrap();
            let state = State {
                location: url.clone(), url, validator: None, length: Some(length), parts,
            };
            prop_assert!(state.is_sound());
        }
    }
}
