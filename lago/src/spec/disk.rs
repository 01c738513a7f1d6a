//! Reads the disks of one domain.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::build;
use super::diagnostic::Report;
use super::fields::{Fields, Known, Marked};
use super::names;
use super::size;
use super::tree::{Node, Value};
use super::types::{Disk, DiskFormat, DiskKind, FileSource, TemplateBase};

const FIELDS: Known = Known {
    documented: &[
        "name",
        "type",
        "template_name",
        "template_version",
        "template_type",
        "template_digest",
        "dev",
        "format",
        "size",
        "path",
        "url",
        "make_a_copy",
        "metadata",
        "build",
        "skip-export",
        "comment",
    ],
    tolerated: &["device"],
};

const FORMATS: &[(&str, DiskFormat)] =
    &[("qcow2", DiskFormat::Qcow2), ("raw", DiskFormat::Raw), ("iso", DiskFormat::Iso)];

/// virtio-blk, virtio-scsi, SATA.
const BUSES: &[&str] = &["vd", "sd", "hd"];

/// `vda`, `vdb`, ... `vdz`: more disks than a domain without names for them needs.
const DEFAULT_DEVICES: std::ops::RangeInclusive<char> = 'a'..='z';

/// Where disks without `dev` go.
const DEFAULT_BUS: &str = "vd";

/// Where CDs without `dev` go: there are no drives on virtio, and each installer knows SATA.
const DEFAULT_CD_BUS: &str = "hd";

/// Reads all disks. Those without `dev` get the first names of virtio disks that are free, CDs those of SATA.
pub(super) fn read_all(nodes: &[Node], directory: &Path, report: &Report<'_>) -> Vec<Disk> {
    let opened: Vec<Fields<'_>> =
        nodes.iter().map(|node| Fields::open(report, node, node.at, "a disk", &FIELDS)).collect();
    let written: Vec<Option<Marked<String>>> = opened.iter().map(device).collect();
    let taken: HashSet<String> =
        written.iter().flatten().map(|device| device.value.clone()).collect();
    let free = |bus: &'static str| {
        let names = DEFAULT_DEVICES.map(move |letter| format!("{bus}{letter}"));
        names.filter(|dev| !taken.contains(dev))
    };
    let (mut free_disks, mut free_drives) = (free(DEFAULT_BUS), free(DEFAULT_CD_BUS));
    opened
        .iter()
        .zip(written)
        .map(|(fields, written)| {
            let dev = match written {
                Some(written) => written.value,
                None if is_cd(fields) => {
                    free_drives.next().unwrap_or_else(|| no_device_left(fields))
                }
                None => free_disks.next().unwrap_or_else(|| no_device_left(fields)),
            };
            read(fields, dev, directory, report)
        })
        .collect()
}

fn read(fields: &Fields<'_>, dev: String, directory: &Path, report: &Report<'_>) -> Disk {
    let format = fields.word("format", FORMATS).unwrap_or(DiskFormat::Qcow2);
    let kind = kind(fields, directory);
    check_format(fields, &kind, format);
    Disk {
        name: name(fields, &dev),
        build: build::read_all(fields, &kind, directory, report),
        kind,
        dev,
        format,
        metadata: fields.json("metadata").unwrap_or_default(),
        skip_export: fields.bool("skip-export").unwrap_or(false),
    }
}

fn check_format(fields: &Fields<'_>, kind: &DiskKind, format: DiskFormat) {
    let message = match (kind, format) {
        (DiskKind::Empty { .. }, DiskFormat::Iso) => "an empty disk cannot be a CD image",
        (DiskKind::Template { .. } | DiskKind::Image { .. }, DiskFormat::Raw | DiskFormat::Iso) => {
            "a disk made from a template is an overlay, which only qcow2 can be"
        }
        _ => return,
    };
    let at = fields.string("format").map_or(fields.at, |format| format.at);
    fields.mistake(at, message, "write `format: qcow2`, or remove `format`");
}

fn is_cd(fields: &Fields<'_>) -> bool {
    fields.get("format").is_some_and(
        |format| matches!(&format.node.value, Value::String(format) if format == "iso"),
    )
}

/// The disk's own name, or that of its device.
fn name(fields: &Fields<'_>, dev: &str) -> String {
    let Some(name) = fields.string("name") else { return dev.to_owned() };
    if let Err(message) = names::check(&name.value) {
        fields.mistake(name.at, message, names::help());
    }
    name.value
}

/// `device` is how Lago's manual spells `dev`.
fn device(fields: &Fields<'_>) -> Option<Marked<String>> {
    let dev = fields.string("dev").or_else(|| fields.string("device"))?;
    let letters = BUSES.iter().find_map(|bus| dev.value.strip_prefix(bus));
    let is_device = letters.is_some_and(|letters| {
        (1..=2).contains(&letters.len()) && letters.chars().all(|c| c.is_ascii_lowercase())
    });
    if !is_device {
        fields.mistake(
            dev.at,
            format!("{:?} is no disk device", dev.value),
            "write vda, vdb, ... (virtio), sda, sdb, ... (SCSI) or hda, hdb, ... (SATA)",
        );
    } else if dev.value.starts_with(DEFAULT_BUS) && is_cd(fields) {
        fields.mistake(
            dev.at,
            format!("{:?} cannot be a CD: there are no drives on virtio", dev.value),
            "write hda, hdb, ... (SATA) or sda, sdb, ... (SCSI), or remove `dev`",
        );
    }
    Some(dev)
}

fn no_device_left(fields: &Fields<'_>) -> String {
    fields.mistake(
        fields.at,
        "there are more disks than names from a to z",
        "write `dev` for the others, such as vdaa",
    );
    String::new()
}

fn kind(fields: &Fields<'_>, directory: &Path) -> DiskKind {
    const KINDS: &[(&str, &str)] =
        &[("template", "template"), ("empty", "empty"), ("file", "file")];
    if fields.get("type").is_none() {
        fields.mistake(fields.at, "a disk has no `type`", "write one of: template, empty, file");
    }
    match fields.word("type", KINDS) {
        Some("empty") => empty(fields),
        Some("file") => file(fields, directory),
        Some(_) => template(fields, directory),
        // Reported already: any kind will do.
        None => DiskKind::Empty { size: 0 },
    }
}

fn template(fields: &Fields<'_>, directory: &Path) -> DiskKind {
    const TYPES: &[(&str, &str)] = &[("lago", "lago"), ("qcow2", "qcow2")];
    refuse(fields, "template", &["url", "make_a_copy"]);
    let size = disk_size(fields);
    if fields.word("template_type", TYPES) == Some("qcow2") {
        let help = "write the path of the image that the disk is based on";
        let path = fields.required("path", help).map_or_else(String::new, |path| path.value);
        return DiskKind::Image { path: absolute(directory, &path), size, base: base(fields) };
    }
    refuse(fields, "template", &["template_digest"]);
    let name = fields.required("template_name", "write the name of a template of the repository");
    DiskKind::Template {
        name: name.map_or_else(String::new, |name| name.value),
        version: fields.string("template_version").map(|version| version.value),
        size,
    }
}

/// The template on which an exported image stands.
fn base(fields: &Fields<'_>) -> Option<TemplateBase> {
    let name = fields.string("template_name");
    if name.is_none() {
        refuse(fields, "template", &["template_version", "template_digest"]);
    }
    Some(TemplateBase {
        name: name?.value,
        version: fields.string("template_version").map(|version| version.value),
        digest: fields.string("template_digest").map(|digest| checked_digest(fields, &digest)),
    })
}

/// SHA-1, SHA-256 or SHA-512.
fn checked_digest(fields: &Fields<'_>, digest: &Marked<String>) -> String {
    let is_digest = [40, 64, 128].contains(&digest.value.len())
        && digest.value.chars().all(|digit| digit.is_ascii_hexdigit());
    if !is_digest {
        fields.mistake(
            digest.at,
            format!("{:?} is no digest", digest.value),
            "write the SHA-256 of the template's image, 64 hexadecimal digits, or remove `template_digest`",
        );
    }
    digest.value.to_ascii_lowercase()
}

fn empty(fields: &Fields<'_>) -> DiskKind {
    let others =
        ["template_name", "template_version", "template_digest", "path", "url", "make_a_copy"];
    refuse(fields, "empty", &others);
    if fields.get("size").is_none() {
        fields.mistake(fields.at, "an empty disk has no `size`", size::HELP);
    }
    DiskKind::Empty { size: disk_size(fields).unwrap_or_default() }
}

fn file(fields: &Fields<'_>, directory: &Path) -> DiskKind {
    refuse(fields, "file", &["template_name", "template_version", "template_digest"]);
    // Exported init files say how large the file is: it has to make sense, no more.
    disk_size(fields);
    let path = fields.string("path").map(|path| absolute(directory, &path.value));
    let url = fields.string("url").map(|url| url.value);
    let source = match (url, path) {
        (Some(url), path) => FileSource::Url { url, path },
        (None, Some(path)) => FileSource::Path(path),
        (None, None) => {
            fields.mistake(
                fields.at,
                "a disk of `type: file` has neither `path` nor `url`",
                "write `path` with the path of the image, or `url` with its address",
            );
            FileSource::Path(PathBuf::new())
        }
    };
    DiskKind::File { source, make_a_copy: fields.bool("make_a_copy").unwrap_or(false) }
}

/// Reports fields that another type of disk has: whoever writes them expects something of them.
fn refuse(fields: &Fields<'_>, kind: &str, others: &[&str]) {
    for name in others {
        if let Some(entry) = fields.get(name) {
            fields.mistake(
                entry.key,
                format!("a disk of `type: {kind}` has no use for `{name}`"),
                format!("remove `{name}`, or write another `type`"),
            );
        }
    }
}

fn disk_size(fields: &Fields<'_>) -> Option<u64> {
    let node = &fields.get("size")?.node;
    let size = match &node.value {
        Value::Integer(bytes) => u128::try_from(*bytes)
            .map_err(|_| "less than nothing")
            .and_then(size::whole_sectors)
            .map_err(|reason| format!("the size {bytes} is {reason}")),
        Value::String(text) => size::parse(text),
        other => Err(format!("`size` is {}", other.describe())),
    };
    size.map_err(|message| fields.mistake(node.at, message, size::HELP)).ok()
}

/// Relative paths start from the init file. A path that begins with a variable is whole once that is replaced.
pub(super) fn absolute(directory: &Path, path: &str) -> PathBuf {
    if path.starts_with('$') { PathBuf::from(path) } else { directory.join(path) }
}
