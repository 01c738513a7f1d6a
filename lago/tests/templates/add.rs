//! Templates that are added one by one.

use std::fs;

use lago::templates::{NewTemplate, TemplateRepos, TemplateRepository, Transfer};

use crate::fixture::{Fixture, noise, sha256, sum};
use crate::registry::{Registry, layer};
use crate::server::Server;

fn new(url: &str) -> NewTemplate {
    NewTemplate { url: url.to_owned(), name: None, hash: None, checksum_url: None }
}

fn repos(at: &Fixture) -> TemplateRepos {
    TemplateRepos::new(&at.path().join("repos"))
}

fn add(at: &Fixture, new: &NewTemplate) -> Result<(String, String, String), String> {
    let added = repos(at).add_template(new, &Transfer::shared());
    added
        .map(|added| (added.name, added.version, added.verified_by))
        .map_err(|error| error.to_string())
}

/// Has the store fetch the newest version of a template that was added.
fn fetched(at: &Fixture, name: &str) -> Vec<u8> {
    let manifest = at.path().join("repos/user.json");
    let repository = TemplateRepository::from_file(&manifest).unwrap();
    let version = repository.get_by_name(name).unwrap().get_latest_version();
    fs::read(at.store.download(version).unwrap().path).unwrap()
}

#[test]
fn an_image_is_added_with_its_digest() {
    let (at, server, image) = (Fixture::new(), Server::start(), noise(10_000));
    server.serve_bytes("images/disk-1.qcow2", image.clone());
    let url = server.url("images/disk-1.qcow2");
    let hash: lago::templates::Digest = sha256(&image).parse().unwrap();
    let with_hash = NewTemplate { hash: Some(hash.clone()), ..new(&url) };
    assert_eq!(add(&at, &with_hash), Ok(("disk-1".into(), "v1".into(), hash.with_algorithm())));
    assert_eq!(server.requests("images/disk-1.qcow2"), [], "adding fetches nothing");
    assert!(fetched(&at, "disk-1") == image);
    let mode = fs::metadata(at.path().join("repos/user.json")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777, 0o600);
}

#[test]
fn its_digest_is_found_where_distributions_list_it() {
    let (at, server, image) = (Fixture::new(), Server::start(), noise(10_000));
    server.serve_bytes("images/disk.img", image.clone());
    let url = server.url("images/disk.img");
    let error = add(&at, &new(&url)).unwrap_err();
    assert!(
        error.contains("takes one with --sha256") && error.contains("images/SHA512SUMS"),
        "{error}"
    );
    assert!(!at.path().join("repos/user.json").exists());
    server.serve_bytes("images/SHA256SUMS", format!("{}  other.img\n", sha256(b"x")));
    server.serve_bytes("images/SHA512SUMS", format!("{}  disk.img\n", sum("sha512sum", &image)));
    let (_, _, verified_by) = add(&at, &new(&url)).unwrap();
    assert_eq!(verified_by, server.url("images/SHA512SUMS"));
    assert!(fetched(&at, "disk") == image);
}

#[test]
fn a_list_that_does_not_have_it_is_refused_at_once() {
    let (at, server) = (Fixture::new(), Server::start());
    server.serve_bytes("SUMS", format!("{}  other.img\n", sha256(b"x")));
    let wrong =
        NewTemplate { checksum_url: Some(server.url("SUMS")), ..new(&server.url("disk.img")) };
    let error = add(&at, &wrong).unwrap_err();
    assert!(error.contains("lists no SHA-256 or SHA-512 of disk.img"), "{error}");
}

#[test]
fn the_same_name_again_is_its_newest_version() {
    let (at, server, old, newer) = (Fixture::new(), Server::start(), noise(1000), noise(2000));
    server.serve_bytes("1/disk.img", old.clone());
    server.serve_bytes("2/disk.img", newer.clone());
    let one = NewTemplate { hash: sha256(&old).parse().ok(), ..new(&server.url("1/disk.img")) };
    let two = NewTemplate { hash: sha256(&newer).parse().ok(), ..new(&server.url("2/disk.img")) };
    assert_eq!(add(&at, &one).unwrap().1, "v1");
    assert_eq!(add(&at, &two).unwrap().1, "v2");
    assert!(fetched(&at, "disk") == newer);
    repos(&at).remove_template("disk").unwrap();
    let error = repos(&at).remove_template("disk").unwrap_err().to_string();
    assert!(error.contains("the repository `user` has no template `disk`"), "{error}");
}

#[test]
fn an_image_of_a_registry_is_pinned_to_what_its_tag_means_now() {
    let (at, old, newer) = (Fixture::new(), noise(1000), noise(2000));
    let registry = Registry::start(at.path());
    let pushed = registry.push_image("disks/vm", "1", &[layer(&[("disk/vm.img", &old)])]);
    let url = format!("oci://{}/disks/vm:1", registry.host());
    let digest = pushed["digest"].as_str().unwrap().to_owned();
    assert_eq!(add(&at, &new(&url)), Ok(("vm-1".into(), "v1".into(), digest)));
    registry.push_image("disks/vm", "1", &[layer(&[("disk/vm.img", &newer)])]);
    assert!(fetched(&at, "vm-1") == old);
    assert_eq!(add(&at, &new(&url)).unwrap().1, "v2");
    assert!(fetched(&at, "vm-1") == newer);
}

#[test]
fn other_addresses_are_refused() {
    let at = Fixture::new();
    for url in ["ftp://x/disk.img", "file:///etc/passwd", "disk.img", "oci://x"] {
        add(&at, &NewTemplate { name: Some("x".into()), ..new(url) }).unwrap_err();
    }
    let name = NewTemplate { name: Some("../x".into()), ..new("https://x/disk.img") };
    assert!(add(&at, &name).unwrap_err().contains("cannot be the name of a template"));
}
