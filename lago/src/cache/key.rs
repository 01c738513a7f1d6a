//! What decides whether an environment that was started before can stand in for one that is to be started.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::host::Acceleration;
use crate::spec::{InitFile, SubnetRange};
use crate::templates::Metadata;

/// The version of an entry's layout and of its machines' devices. One of another version is never found.
pub const CACHE_FORMAT: u32 = 5;

/// What makes entries here: [`KeyInputs::lago`]. The number is from `build.rs`.
pub(super) const MAKER: &str = concat!(env!("CARGO_PKG_VERSION"), "+", env!("LAGO_GUEST_SOURCES"));

/// How many letters of a key tell it from the others for people.
const SHORT: usize = 12;

/// Everything that an environment which has just started depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyInputs {
    /// The layout of entries: [`CACHE_FORMAT`].
    pub format: u32,
    /// The version of lago, and behind a `+` a number of those of its sources that decide on addresses, the machine's devices
    /// and the guests' seeds: two revisions may have one version.
    pub lago: String,
    /// The init file, with prototypes and defaults applied.
    pub init_file: InitFile,
    /// The subnets from which those are chosen that the init file leaves open.
    #[serde(default)]
    pub subnet_range: SubnetRange,
    /// The image of each disk that is made from a template, in the order of the disks.
    pub templates: Vec<TemplateInput>,
    /// The files that disks are made from otherwise, in the order of the disks, and UEFI firmware.
    pub files: Vec<FileInput>,
    /// The libvirt that it runs on, when that is not one of its own. Such an environment is never in the cache, but has a
    /// [`fingerprint`](super::fingerprint) as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// How the domains run.
    pub acceleration: Acceleration,
    /// The version of QEMU: a memory image fits only the machine that it was taken from.
    pub qemu: String,
    /// The version of libvirt.
    pub libvirt: String,
    /// Under KVM the processor and the kernel, which the guests have seen; nothing under emulation.
    pub processor: Option<String>,
}

/// A template's image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateInput {
    /// The version that the init file's name and version came to, as `repository:template:version`, with the key behind it of
    /// what `build` steps make of it.
    pub version: String,
    /// The digest of the image.
    pub digest: String,
    /// Where the image is stored: disks stand on it by its path.
    pub path: PathBuf,
    /// What its publisher says of it. Some of it decides how guests are given their identity.
    #[serde(default)]
    pub metadata: Metadata,
}

/// A file that a disk is made from. Reading all of it would take longer than what the cache saves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileInput {
    /// The file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// When it was changed last, in seconds and nanoseconds since 1970.
    pub modified: (i64, i64),
}

/// The name of an entry: a SHA-256 of its [`KeyInputs`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(String);

impl KeyInputs {
    /// The key of these inputs.
    pub fn key(&self) -> Key {
        // Fields come in the order of their declaration and maps in that of the file, which is one of the inputs: the
        // plan gives out addresses in it.
        let text = serde_json::to_vec(self).expect("inputs are text, numbers and maps by names");
        Key(format!("{:x}", Sha256::digest(text)))
    }
}

impl Key {
    /// The key of an entry's directory name, if it is one.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        let digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        (name.len() == 64 && name.chars().all(digit)).then(|| Self(name.to_owned()))
    }

    /// All of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its beginning, which tells it from others for people.
    pub fn short(&self) -> &str {
        &self.0[..SHORT]
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;

    use super::*;

    pub(in crate::cache) fn init_file(memory: u32) -> InitFile {
        let text = format!(
            "domains:\n  vm0:\n    memory: {memory}\n    nics: [{{net: lan}}]\n    disks:\n      \
             - {{type: template, template_name: mini, name: root, dev: vda, format: qcow2}}\n\
             nets:\n  lan: {{type: nat, management: true}}\n"
        );
        InitFile::parse(&text, Path::new("LagoInitFile.yaml")).unwrap()
    }

    pub(in crate::cache) fn inputs() -> KeyInputs {
        KeyInputs {
            format: CACHE_FORMAT,
            lago: "0.1.0".into(),
            init_file: init_file(128),
            subnet_range: SubnetRange::default(),
            templates: vec![TemplateInput {
                version: "office:mini:v1".into(),
                digest: "ab".repeat(32),
                path: "/store/office:mini:v1".into(),
                metadata: Metadata::new(),
            }],
            files: vec![FileInput { path: "/data.iso".into(), size: 7, modified: (1, 2) }],
            uri: None,
            acceleration: Acceleration::Tcg,
            qemu: "QEMU emulator version 7.2.22".into(),
            libvirt: "libvirtd (libvirt) 9.0.0".into(),
            processor: None,
        }
    }

    #[test]
    fn the_same_inputs_have_the_same_key_also_after_a_stay_on_disk() {
        let key = inputs().key();
        assert_eq!(inputs().key(), key);
        let stored = serde_json::to_string(&inputs()).unwrap();
        assert_eq!(serde_json::from_str::<KeyInputs>(&stored).unwrap().key(), key);
        assert_eq!(Key::from_name(key.as_str()), Some(key.clone()));
        assert!(key.as_str().starts_with(key.short()));
    }

    #[test]
    fn names_of_other_things_are_no_keys() {
        let upper = "AB".repeat(32);
        for name in ["", "off", inputs().key().short(), &upper] {
            assert_eq!(Key::from_name(name), None);
        }
    }

    /// A change of one input.
    type Change = (&'static str, fn(&mut KeyInputs));

    #[test]
    fn a_change_of_any_input_misses() {
        let changes: [Change; 20] = [
            ("format", |inputs| inputs.format += 1),
            ("lago", |inputs| inputs.lago = "0.1.1".into()),
            ("memory", |inputs| inputs.init_file = init_file(129)),
            ("bootstrap", |inputs| inputs.init_file.domains[0].bootstrap ^= true),
            ("metadata", |inputs| {
                inputs.init_file.domains[0].metadata.insert("rack".into(), 7.into());
            }),
            ("network", |inputs| inputs.init_file.nets[0].mtu = Some(1400)),
            ("subnets", |inputs| inputs.subnet_range = "10.64.0.0/16".parse().unwrap()),
            ("template version", |inputs| inputs.templates[0].version.push('2')),
            ("template digest", |inputs| inputs.templates[0].digest = "cd".repeat(32)),
            ("template path", |inputs| inputs.templates[0].path = "/other/office:mini:v1".into()),
            ("template metadata", |inputs| {
                inputs.templates[0].metadata.insert("root-partition".into(), "vda1".into());
            }),
            ("file path", |inputs| inputs.files[0].path = "/other.iso".into()),
            ("file size", |inputs| inputs.files[0].size += 1),
            ("file time", |inputs| inputs.files[0].modified.0 += 1),
            ("file time, the fraction", |inputs| inputs.files[0].modified.1 += 1),
            ("host", |inputs| inputs.uri = Some("qemu:///system".into())),
            ("acceleration", |inputs| inputs.acceleration = Acceleration::Kvm),
            ("qemu", |inputs| inputs.qemu.push('+')),
            ("libvirt", |inputs| inputs.libvirt.push('+')),
            ("processor", |inputs| inputs.processor = Some("a Xeon".into())),
        ];
        let mut keys = vec![("nothing", inputs().key())];
        for (what, change) in changes {
            let mut inputs = inputs();
            change(&mut inputs);
            let key = inputs.key();
            if let Some((other, _)) = keys.iter().find(|(_, known)| *known == key) {
                panic!("a change of {what} has the key of a change of {other}");
            }
            keys.push((what, key));
        }
    }

    #[test]
    fn the_order_of_vms_is_an_input() {
        let mut two = inputs();
        let vm = two.init_file.domains[0].clone();
        two.init_file.domains.insert("vm1".into(), vm);
        let mut reversed = two.clone();
        reversed.init_file.domains.reverse();
        assert_ne!(two.key(), reversed.key());
    }
}
