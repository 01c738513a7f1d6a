//! Images in container registries.

use std::fs;
use std::path::Path;

use lago::templates::TemplateVersion;
use serde_json::{Value, json};

use crate::fixture::{Fixture, compressed, noise, sha256, sparse_image};
use crate::registry::{Registry, TokenServer, image_manifest, index, layer};
use crate::server::{Fault, Served, Server};

fn version(at: &Fixture, reference: &str) -> TemplateVersion {
    at.version(&json!({"type": "oci", "args": {}}), &json!({"handle": reference}))
}

fn here() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }
}

fn for_platform(mut manifest: Value, architecture: &str) -> Value {
    manifest["platform"] = json!({"os": "linux", "architecture": architecture});
    manifest
}

#[test]
fn a_container_disk_comes_from_a_registry() {
    let (at, image) = (Fixture::new(), sparse_image());
    let registry = Registry::start(at.path());
    let disk = layer(&[("disk/vm.img", &image)]);
    let other = layer(&[("etc/motd", b"hello")]);
    for (tag, program) in [("gzip", "gzip"), ("zstd", "zstd"), ("plain", "cat")] {
        let pack = |layer: &[u8]| {
            if program == "cat" { layer.to_vec() } else { compressed(program, layer) }
        };
        let pushed = registry.push_image("kubevirt/disk", tag, &[pack(&disk), pack(&other)]);
        let at = Fixture::new();
        let reference = format!("oci://{}/kubevirt/disk:{tag}", registry.host());
        let stored = at.assert_fetches(&version(&at, &reference), &image);
        assert_eq!(stored.digest.with_algorithm(), pushed["digest"].as_str().unwrap());
    }
}

#[test]
fn the_platform_of_this_machine_is_chosen() {
    let (at, image) = (Fixture::new(), noise(100_000));
    let registry = Registry::start(at.path());
    let mine = registry.push_image("disk", "mine", &[layer(&[("disk/vm.qcow2", &image)])]);
    let foreign =
        registry.push_image("disk", "foreign", &[layer(&[("disk/vm.qcow2", b"foreign")])]);
    let both = [for_platform(foreign.clone(), "mips"), for_platform(mine, here())];
    let pushed = registry.push_manifest("disk", "all", &index(&both));
    let reference = format!("oci://{}/disk:all", registry.host());
    let stored = at.assert_fetches(&version(&at, &reference), &image);
    assert_eq!(stored.digest.with_algorithm(), pushed["digest"].as_str().unwrap());

    registry.push_manifest("disk", "other", &index(&[for_platform(foreign, "mips")]));
    let at = Fixture::new();
    let error = at.refusal(&version(&at, &format!("oci://{}/disk:other", registry.host())));
    assert!(error.contains("only for linux/mips"), "{error}");
}

#[test]
fn a_registry_that_wants_tokens_gets_them() {
    let (at, image) = (Fixture::new(), noise(100_000));
    let unguarded = Registry::start(at.path());
    unguarded.push_image("public/disk", "1", &[layer(&[("disk/vm.img", &image)])]);
    drop(unguarded);
    let tokens = TokenServer::start(at.path(), "public/disk");
    let registry = Registry::start_with_tokens(at.path(), &tokens);
    let reference = format!("oci://{}/public/disk:1", registry.host());
    at.assert_fetches(&version(&at, &reference), &image);
    let asked = tokens.requests();
    let expected = "token?scope=repository%3Apublic%2Fdisk%3Apull&service=the+registry";
    assert!(!asked.is_empty() && asked.iter().all(|path| path == expected), "{asked:?}");

    // The token is not for this one.
    let at = Fixture::new();
    let error = at.refusal(&version(&at, &format!("oci://{}/private/disk:1", registry.host())));
    assert!(error.contains("401 Unauthorized") && error.contains("wants a login"), "{error}");
}

#[test]
fn a_pinned_image_comes_by_its_digest_whatever_its_tag_means_now() {
    let (at, old, new) = (Fixture::new(), noise(100_000), noise(50_000));
    let registry = Registry::start(at.path());
    let pushed = registry.push_image("disk", "1", &[layer(&[("disk/vm.img", &old)])]);
    registry.push_image("disk", "1", &[layer(&[("disk/vm.img", &new)])]);
    let digest = pushed["digest"].as_str().unwrap();
    let reference = format!("oci://{}/disk:1@{digest}", registry.host());
    at.assert_fetches(&version(&at, &reference), &old);
    let at = Fixture::new();
    let base = json!({"type": "oci", "args": {"baseurl": format!("oci://{}", registry.host())}});
    let pinned = at.version(&base, &json!({"handle": "disk:1", "hash": digest}));
    at.assert_fetches(&pinned, &old);
    let at = Fixture::new();
    at.assert_fetches(&version(&at, &format!("oci://{}/disk:1", registry.host())), &new);
}

#[test]
fn a_layer_that_was_changed_in_the_registry_is_refused() {
    let (at, image) = (Fixture::new(), noise(100_000));
    let registry = Registry::start(at.path());
    let content = layer(&[("disk/vm.img", &image)]);
    registry.push_image("disk", "1", std::slice::from_ref(&content));
    let digest = sha256(&content);
    let blob = at
        .path()
        .join(format!("data/docker/registry/v2/blobs/sha256/{}/{digest}/data", &digest[..2]));
    let mut changed = fs::read(&blob).unwrap();
    changed[50_000] ^= 1;
    fs::write(&blob, changed).unwrap();
    let error = at.refusal(&version(&at, &format!("oci://{}/disk:1", registry.host())));
    assert!(error.contains(&digest) && error.contains("promises"), "{error}");
    assert_eq!(at.files(), [".lock"]);
}

#[test]
fn an_image_without_a_disk_is_said_to_have_none() {
    let at = Fixture::new();
    let registry = Registry::start(at.path());
    registry.push_image("app", "1", &[layer(&[("bin/sh", b"#!"), ("data/vm.img", b"x")])]);
    let error = at.refusal(&version(&at, &format!("oci://{}/app:1", registry.host())));
    assert!(error.contains("has no file in /disk"), "{error}");
    assert_eq!(at.files(), [".lock"]);
    let error = at.refusal(&version(&at, &format!("oci://{}/none:1", registry.host())));
    assert!(error.contains("404 Not Found"), "{error}");
}

/// A registry that is only a web server, so that it can have faults.
struct Stub(Server);

impl Stub {
    fn new(layer: &[u8]) -> (Self, String) {
        let server = Server::start();
        let digest = format!("sha256:{}", sha256(layer));
        let descriptor = json!({"mediaType": "x", "digest": digest, "size": layer.len()});
        let manifest = image_manifest(&descriptor, std::slice::from_ref(&descriptor)).to_string();
        server.serve_bytes(&format!("v2/disk/blobs/{digest}"), layer);
        server.serve_bytes("v2/disk/manifests/1", manifest.clone());
        server.serve_bytes(
            &format!("v2/disk/manifests/sha256:{}", sha256(manifest.as_bytes())),
            manifest,
        );
        (Self(server), digest)
    }

    fn reference(&self, name: &str) -> String {
        format!(
            "oci://{}/{name}",
            self.0.url("").trim_start_matches("http://").trim_end_matches('/')
        )
    }
}

#[test]
fn a_layer_that_breaks_off_is_continued() {
    let (at, image) = (Fixture::new(), noise(1 << 20));
    let content = layer(&[("disk/vm.img", &image)]);
    let (stub, digest) = Stub::new(&content);
    let path = format!("v2/disk/blobs/{digest}");
    stub.0.serve(
        &path,
        Served::new(content.clone()).faults([Fault::Cut(400_000), Fault::Cut(400_000)]),
    );
    at.assert_fetches(&version(&at, &stub.reference("disk:1")), &image);
    assert_eq!(
        stub.0.ranges(&path)[1..],
        [
            format!("bytes=400000-{}", content.len() - 1),
            format!("bytes=800000-{}", content.len() - 1),
        ]
    );
}

#[test]
fn a_manifest_that_is_not_the_one_of_its_digest_is_refused() {
    let at = Fixture::new();
    let (stub, _) = Stub::new(&layer(&[("disk/vm.img", b"x")]));
    let wanted = format!("sha256:{}", "a".repeat(64));
    stub.0.serve_bytes(&format!("v2/disk/manifests/{wanted}"), "{}");
    let error = at.refusal(&version(&at, &stub.reference(&format!("disk@{wanted}"))));
    assert!(error.contains(&"a".repeat(64)) && error.contains("promises"), "{error}");
}

#[test]
fn a_layer_of_another_size_is_not_even_begun() {
    let at = Fixture::new();
    let content = layer(&[("disk/vm.img", b"x")]);
    let (stub, digest) = Stub::new(&content);
    stub.0.serve_bytes(&format!("v2/disk/blobs/{digest}"), [content, vec![0; 1000]].concat());
    let error = at.refusal(&version(&at, &stub.reference("disk:1")));
    assert!(error.contains("bytes, and should have"), "{error}");
}

#[test]
fn a_file_that_is_no_manifest_is_said_to_be_none() {
    let at = Fixture::new();
    let (stub, _) = Stub::new(&layer(&[("disk/vm.img", b"x")]));
    stub.0.serve_bytes("v2/disk/manifests/old", r#"{"schemaVersion": 1, "fsLayers": []}"#);
    let error = at.refusal(&version(&at, &stub.reference("disk:old")));
    assert!(error.contains("no manifest that is known here"), "{error}");
}

#[test]
fn no_path_in_a_layer_is_written_to() {
    let at = Fixture::new();
    let mut content = layer(&[("xx/vm.img", b"evil"), ("disk/vm.img", b"a disk")]);
    content[..9].copy_from_slice(b"../vm.img");
    // The checksum of the header, which is the sum of its bytes with the field itself as spaces.
    content[148..156].fill(b' ');
    let total: u32 = content[..512].iter().map(|byte| u32::from(*byte)).sum();
    content[148..156].copy_from_slice(format!("{total:06o}\0 ").as_bytes());
    let (stub, _) = Stub::new(&content);
    at.assert_fetches(&version(&at, &stub.reference("disk:1")), b"a disk");
    assert!(!Path::new(&at.path().join("vm.img")).exists());
}
