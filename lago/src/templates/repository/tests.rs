use std::fs;

use serde_json::{Value, json};

use super::*;
use crate::templates::DigestAlgorithm;

fn manifest() -> Value {
    json!({
        "name": "office",
        "sources": {"disk": {"type": "file", "args": {"root": "images"}}},
        "templates": {"debian": {"versions": {
            "v1": {"source": "disk", "handle": "d1", "timestamp": 10},
            "v3": {"source": "disk", "handle": "d3", "timestamp": 30},
            "v2": {"source": "disk", "handle": "d2", "timestamp": 20},
        }}},
    })
}

fn read(manifest: &Value) -> Result<TemplateRepository, TemplateError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("repo.json");
    fs::write(&path, manifest.to_string()).unwrap();
    TemplateRepository::from_file(&path)
}

#[test]
fn the_newest_version_is_by_timestamp() {
    let repository = read(&manifest()).unwrap();
    let debian = repository.get_by_name("debian").unwrap();
    assert_eq!(debian.get_latest_version().name(), "office:debian:v3");
    assert_eq!(debian.get_version(None).unwrap().timestamp(), 30);
    assert_eq!(debian.get_version(Some("v1")).unwrap().timestamp(), 10);
}

#[test]
fn what_does_not_exist_is_answered_with_what_does() {
    let repository = read(&manifest()).unwrap();
    let error = repository.get_by_name("fedora").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the repository `office` has no template `fedora`; it has: debian"
    );
    let error = repository.get_by_name("debian").unwrap().get_version(Some("v9")).unwrap_err();
    assert_eq!(error.to_string(), "the template `debian` has no version `v9`; it has: v1, v3, v2");
}

#[test]
fn a_wrong_manifest_says_where() {
    let change = |pointer: &str, value: Value| {
        let mut manifest = manifest();
        *manifest.pointer_mut(pointer).unwrap() = value;
        read(&manifest).unwrap_err().to_string()
    };
    let text = change("/templates/debian/versions/v1/source", json!("tape"));
    assert!(
        text.contains("version `v1`") && text.contains("`tape`") && text.ends_with("disk"),
        "{text}"
    );
    let text = change("/sources/disk/type", json!("tape"));
    assert!(text.contains("unknown variant `tape`"), "{text}");
    let text = change("/templates/debian/versions", json!({}));
    assert!(text.contains("`debian` has no versions"), "{text}");
    let text = change("/templates/debian/versions/v1/timestamp", json!("now"));
    assert!(text.contains("line 1 column"), "{text}");
    for name in ["", "../x", "a/b", "a:b", ".x", "a\nb"] {
        let text = change("/name", json!(name));
        assert!(text.contains("cannot be the name of a repository"), "{text}");
    }
}

#[test]
fn lagos_own_manifest_reads_and_every_image_in_it_is_verified_and_comes_encrypted() {
    let shipped: Manifest = serde_json::from_str(SHIPPED).unwrap();
    for source in shipped.sources.values() {
        let Source::Http { baseurl: Some(base) } = source else { panic!("{source:?}") };
        assert!(base.starts_with("https://") && base.ends_with('/'), "{base}");
    }
    for (name, template) in &shipped.templates {
        for version in template.versions.values() {
            assert!(version.hash.is_some() ^ version.checksum_url.is_some(), "{name}: {version:?}");
            assert!(version.metadata.contains_key("distro"), "{name}");
            let strong =
                version.hash.as_ref().is_none_or(|hash| hash.algorithm() != DigestAlgorithm::Sha1);
            assert!(strong, "{name}");
        }
    }
    let distributions = [
        "debian",
        "ubuntu",
        "fedora",
        "centos-stream",
        "almalinux",
        "rocky",
        "opensuse",
        "alpine",
        "cirros",
    ];
    for distribution in distributions {
        let is_one = |template: &&Template| template.name().starts_with(distribution);
        assert!(TemplateRepository::shipped().templates().find(is_one).is_some(), "{distribution}");
    }
}

#[test]
fn a_manifest_may_have_the_digests_itself() {
    let mut manifest = manifest();
    let version = manifest.pointer_mut("/templates/debian/versions/v1").unwrap();
    version["hash"] = json!(format!("sha256:{}", "a".repeat(64)));
    version["metadata"] = json!({"distro": "debian"});
    let repository = read(&manifest).unwrap();
    let version =
        repository.get_by_name("debian").unwrap().get_version(Some("v1")).unwrap().clone();
    assert_eq!(version.get_hash().unwrap().as_hex(), "a".repeat(64));
    assert_eq!(version.metadata["distro"], "debian");
    let wrong = manifest.pointer_mut("/templates/debian/versions/v1/hash").unwrap();
    *wrong = json!("md5:abc");
    let text = read(&manifest).unwrap_err().to_string();
    assert!(text.contains("64 hexadecimal digits"), "{text}");
}

/// The manifest may have other sources that can be used.
#[test]
fn a_variable_that_is_not_set_matters_once_something_is_wanted() {
    let mut manifest = manifest();
    manifest["sources"]["disk"] = json!({"type": "file", "args": {"root": "$LAGO_NO_SUCH/images"}});
    let repository = read(&manifest).unwrap();
    let version = repository.get_by_name("debian").unwrap().get_latest_version();
    let text = version.get_hash().unwrap_err().to_string();
    assert!(text.contains("`LAGO_NO_SUCH`, which is not set"), "{text}");
}

#[test]
fn a_source_that_is_none_is_named() {
    let mut manifest = manifest();
    for (args, reason) in [
        (json!({"type": "http", "args": {"baseurl": "ftp://x/"}}), "neither http nor https"),
        (json!({"type": "oci", "args": {"baseurl": "quay.io"}}), "names no image in a registry"),
    ] {
        manifest["sources"]["disk"] = args;
        let text = read(&manifest).unwrap_err().to_string();
        assert!(text.contains("the source `disk`") && text.contains(reason), "{text}");
    }
}
