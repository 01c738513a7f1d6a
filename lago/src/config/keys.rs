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

pub(super) static KEYS: [Key; 21] = [
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
    key(
        "ssh_user",
        Fallback::Nothing("root"),
        "at `lago init`, the user that logs in, of domains for which the init file names none",
    ),
    key(
        "ssh_password",
        Fallback::Nothing("the password of root"),
        "at `lago init`, the password of that user",
    ),
    key(
        "ssh_tries",
        Fallback::Nothing("start_limit, or 100 tries where ssh_timeout is set"),
        "how often ssh is tried: together with ssh_timeout the limit of waiting for a guest",
    ),
    key(
        "ssh_timeout",
        Fallback::Nothing("start_limit, or 10 where ssh_tries is set"),
        "how many seconds each try of ssh may take",
    ),
    key(
        "default_root_password",
        Fallback::Nothing("123456"),
        "at `lago init`, the password of root, of domains for which the init file says none",
    ),
    key(
        "default_vm_type",
        Fallback::Nothing("default"),
        "at `lago init`, the `vm-type` of domains for which the init file says none",
    ),
    key(
        "default_vm_provider",
        Fallback::Nothing("local-libvirt"),
        "at `lago init`, the `vm-provider` of domains for which the init file says none: local-libvirt or ssh",
    ),
    key(
        "out_format",
        Fallback::Fixed,
        "how a verb prints what it found out, without --out-format: default, json, yaml or flat",
    ),
    key("ignore_warnings", Fallback::Fixed, "whether the log is without warnings: on or off"),
];

/// What Lago calls settings that have another name here.
static LAGO_NAMES: [(&str, &str); 3] = [
    ("template_store", "store"),
    ("template_repo", "template_repo_path"),
    ("libvirt_url", "libvirt_uri"),
];

/// Settings of Lago that decide nothing here, each with what to do instead, where somebody may count on it.
static LAGO_ONLY: [(&str, Option<&str>); 6] = [
    ("libvirt_password", Some(AUTHFILE)),
    ("libvirt_user", Some(AUTHFILE)),
    ("libvirt_username", Some(AUTHFILE)),
    ("logdepth", None),
    (
        "prefix_name",
        Some("name the prefix with --prefix-name, LAGO_PREFIX_NAME or `lago set-current`"),
    ),
    ("reposync_dir", None),
];

const AUTHFILE: &str = "libvirt reads users and passwords from a file (https://libvirt.org/auth.html); name it in \
    libvirt_uri: `?authfile=PATH`";

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
    LAGO_ONLY.iter().any(|(lagos, _)| *lagos == name)
}

/// What to do instead of a setting that only Lago has.
pub(super) fn instead(name: &str) -> Option<&'static str> {
    LAGO_ONLY.iter().find(|(lagos, _)| *lagos == name)?.1
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
