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
    pub(super) fallback: Fallback,
}

/// What holds when nobody sets a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fallback {
    /// The same value for everybody.
    Fixed,
    /// A value that follows from who the user is.
    OfTheUser,
    /// No value, which means something of its own.
    Nothing(&'static str),
}

const fn key(name: &'static str, fallback: Fallback, description: &'static str) -> Key {
    Key { name, description, fallback }
}

pub(super) static KEYS: [Key; 12] = [
    key("store", Fallback::OfTheUser, "the directory of verified template images"),
    key(
        "template_repo_path",
        Fallback::Nothing("there are none"),
        "manifests of template repositories, their addresses, or directories of them, separated by `:`",
    ),
    key(
        "template_repos",
        Fallback::OfTheUser,
        "the directory of the template repositories and templates that were added",
    ),
    key("accel", Fallback::Fixed, "how VMs are run: auto, kvm or tcg"),
    key("loglevel", Fallback::Fixed, "what is logged: off, error, warn, info, debug or trace"),
    key(
        "libvirt_uri",
        Fallback::Nothing("each prefix has a private host"),
        "the libvirt to use instead of a private host",
    ),
    key(
        "start_limit",
        Fallback::Fixed,
        "how long the VMs of a prefix may take to start, as 600, 600s, 10m or 1h",
    ),
    key(
        "cache",
        Fallback::Nothing("what `lago cache on` or `lago cache off` said last, and on before that"),
        "whether suites start from cached environments: on or off",
    ),
    key("cache_dir", Fallback::OfTheUser, "the directory of cached environments"),
    key(
        "cache_size",
        Fallback::Fixed,
        "how large all cached environments together may become, such as 10G",
    ),
    key(
        "subnet_range",
        Fallback::Fixed,
        "the subnets for networks that name none, such as 192.168.200.0/24-192.168.255.0/24 or 10.64.0.0/16",
    ),
    key(
        "lease_dir",
        Fallback::OfTheUser,
        "where it is noted which prefix uses which subnet of a libvirt that several share",
    ),
];

/// What Lago calls settings that have another name here.
static LAGO_NAMES: [(&str, &str); 3] = [
    ("template_store", "store"),
    ("template_repo", "template_repo_path"),
    ("libvirt_url", "libvirt_uri"),
];

/// Settings of Lago that decide nothing here: what they are about is said on the command line or in the init file, or does
/// not exist.
static LAGO_ONLY: [&str; 15] = [
    "default_root_password",
    "default_vm_provider",
    "default_vm_type",
    "ignore_warnings",
    "libvirt_password",
    "libvirt_user",
    "libvirt_username",
    "logdepth",
    "out_format",
    "prefix_name",
    "reposync_dir",
    "ssh_password",
    "ssh_timeout",
    "ssh_tries",
    "ssh_user",
];

/// The verbs of Lago, each of which has a section for its options there.
static LAGO_SECTIONS: [&str; 20] = [
    "ansible_hosts",
    "cleanup",
    "collect",
    "console",
    "copy-from-vm",
    "copy-to-vm",
    "deploy",
    "destroy",
    "export",
    "generate-config",
    "init",
    "list",
    "revert",
    "set-current",
    "shell",
    "shutdown",
    "snapshot",
    "start",
    "status",
    "stop",
];

/// The setting of this name, or of this name in Lago.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    let lagos = LAGO_NAMES.iter().find(|(lago, _)| *lago == name).map(|(_, here)| *here);
    KEYS.iter().find(|key| key.name == lagos.unwrap_or(name))
}

/// Whether Lago has a setting of this name that decides nothing here.
pub(super) fn is_only_lagos(name: &str) -> bool {
    LAGO_ONLY.contains(&name)
}

/// Whether Lago has the options of a verb in this section. Those of `init` that are settings here are read from there, too.
pub(super) fn is_section_of_lago(name: &str) -> bool {
    LAGO_SECTIONS.contains(&name) || LAGO_SECTIONS.contains(&&*name.replace('_', "-"))
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
