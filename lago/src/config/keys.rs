//! The settings that exist.

use std::fmt::Write as _;

/// The one section.
pub(super) const SECTION: &str = "lago";

/// How many letters a word may differ in from what was probably meant.
const TYPO_DISTANCE: usize = 2;

/// A setting.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
}

const fn key(name: &'static str, description: &'static str) -> Key {
    Key { name, description }
}

pub(super) static KEYS: [Key; 9] = [
    key("store", "the directory of verified template images"),
    key(
        "template_repo_path",
        "manifests of template repositories or directories of them, separated by `:`",
    ),
    key("accel", "how VMs are run: auto, kvm or tcg"),
    key("loglevel", "what is logged: off, error, warn, info, debug or trace"),
    key("libvirt_uri", "the libvirt to use instead of a private host"),
    key("start_limit", "how long the VMs of a prefix may take to start, as 600, 600s, 10m or 1h"),
    key("cache", "whether suites start from cached environments: on or off"),
    key("cache_dir", "the directory of cached environments"),
    key("cache_size", "how large all cached environments together may become, such as 10G"),
];

pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The key that `name` may be a misspelling of.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let distance = |key: &&Key| strsim::damerau_levenshtein(key.name, name);
    let near = KEYS.iter().min_by_key(distance)?;
    (distance(&near) <= TYPO_DISTANCE).then_some(near.name)
}

/// What to write instead of `name`.
pub(super) fn advice(name: &str) -> String {
    if let Some(near) = nearest(name) {
        return format!("did you mean `{near}`?");
    }
    let mut text = String::from("the keys are");
    for (number, key) in KEYS.iter().enumerate() {
        let separator = if number == 0 { " " } else { ", " };
        write!(text, "{separator}{}", key.name).expect("writing to a string cannot fail");
    }
    text
}
