//! The documents that lead from the name of an image to its layers: the OCI image specification, and Docker's manifests
//! (version 2, schema 2), which have the same fields.

use std::env::consts::ARCH;

use serde::Deserialize;

use crate::templates::digest::Digest;

/// What a registry is asked for, the one with all platforms first.
pub(super) const MEDIA_TYPES: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// The largest manifest: the distribution specification asks registries to take as much.
pub(super) const MAX_MANIFEST: u64 = 4 << 20;

/// A manifest of one image, or the list of those of several platforms.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Document {
    Index { manifests: Vec<Descriptor> },
    Image { layers: Vec<Descriptor> },
}

/// Something in a registry.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Descriptor {
    pub(super) digest: Digest,
    pub(super) size: u64,
    #[serde(default)]
    platform: Option<Platform>,
}

#[derive(Debug, Clone, Deserialize)]
struct Platform {
    architecture: String,
    os: String,
}

/// The manifest for this machine's processor.
///
/// # Errors
/// When there is none: the platforms that there are.
pub(super) fn choose(manifests: &[Descriptor]) -> Result<&Descriptor, String> {
    let wanted = architecture();
    let fits = |descriptor: &&Descriptor| match &descriptor.platform {
        Some(platform) => platform.os == "linux" && platform.architecture == wanted,
        None => manifests.len() == 1,
    };
    manifests.iter().find(fits).ok_or_else(|| {
        let platforms = manifests.iter().filter_map(|descriptor| descriptor.platform.as_ref());
        let listed: Vec<String> = platforms
            .map(|platform| format!("{}/{}", platform.os, platform.architecture))
            .collect();
        format!("has nothing for linux/{wanted}, only for {}", listed.join(", "))
    })
}

/// This machine's processor as Go, and therefore registries, call it.
fn architecture() -> &'static str {
    match ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64le",
        "x86" => "386",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn descriptor(digit: &str, platform: Option<(&str, &str)>) -> Descriptor {
        let mut value = json!({"digest": format!("sha256:{}", digit.repeat(64)), "size": 1});
        if let Some((os, architecture)) = platform {
            value["platform"] = json!({"os": os, "architecture": architecture});
        }
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_manifest_of_this_processor_is_chosen() {
        let here = architecture();
        let list = [
            descriptor("1", Some(("linux", "mips"))),
            descriptor("2", Some(("windows", here))),
            descriptor("3", Some(("linux", here))),
            descriptor("4", None),
        ];
        assert_eq!(choose(&list).unwrap().digest.as_hex(), "3".repeat(64));
        let reason = choose(&list[..2]).unwrap_err();
        assert!(reason.contains("only for linux/mips, windows/"), "{reason}");
        assert_eq!(choose(&list[3..]).unwrap().digest.as_hex(), "4".repeat(64));
    }

    #[test]
    fn an_index_is_told_from_an_image() {
        let layer = json!({"digest": format!("sha256:{}", "a".repeat(64)), "size": 7});
        let image = json!({"schemaVersion": 2, "config": layer, "layers": [layer]});
        let index = json!({"schemaVersion": 2, "manifests": [layer]});
        let read = |value| serde_json::from_value::<Document>(value);
        assert!(matches!(read(image), Ok(Document::Image { .. })));
        assert!(matches!(read(index), Ok(Document::Index { .. })));
        assert!(read(json!({"schemaVersion": 1, "fsLayers": []})).is_err());
    }
}
