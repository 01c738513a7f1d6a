//! The provider `http`.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use lago::templates::{ImageFormat, TemplateError, TransferOptions};
use lago::utils::HostCommand;
use serde_json::{Value, json};

use crate::fixture::{Fixture, compressed, noise, options, sha256, sparse_image, stderr, sum};
use crate::server::{Fault, Served, Server};

fn below(server: &Server) -> Value {
    json!({"type": "http", "args": {"baseurl": server.url("images")}})
}

#[test]
fn an_image_comes_by_the_digest_in_the_manifest() {
    let (at, server, image) = (Fixture::new(), Server::start(), noise(3 << 20));
    server.serve_bytes("images/a/disk.img", image.clone());
    let entry =
        json!({"handle": "a/disk.img", "hash": sha256(&image), "metadata": {"distro": "x"}});
    let version = at.version(&below(&server), &entry);
    let stored = at.assert_fetches(&version, &image);
    assert_eq!((stored.format, &stored.metadata["distro"]), (ImageFormat::Raw, &json!("x")));
    assert_eq!(server.ranges("images/a/disk.img"), ["whole"]);
}

#[test]
fn a_stored_image_needs_no_server() {
    let (at, server, image) = (Fixture::new(), Server::start(), noise(1000));
    server.serve_bytes("images/disk", image.clone());
    server.serve_bytes("images/SHA256SUMS", format!("{}  disk\n", sha256(&image)));
    let entry = json!({"handle": "disk", "checksum_url": "SHA256SUMS"});
    let version = at.version(&below(&server), &entry);
    at.assert_fetches(&version, &image);
    drop(server);
    at.assert_fetches(&version, &image);
}

#[test]
fn checksum_files_are_read_in_every_form_and_from_other_servers() {
    let (at, server, other) = (Fixture::new(), Server::start(), Server::start());
    let image = noise(100_000);
    server.serve_bytes("images/disk.qcow2", image.clone());
    let digest = |program| sum(program, &image);
    server.serve_bytes("images/SHA512SUMS", format!("{} *disk.qcow2\n", digest("sha512sum")));
    server
        .serve_bytes("images/CHECKSUM", format!("SHA256 (disk.qcow2) = {}\n", digest("sha256sum")));
    other.serve_bytes("disk.qcow2.sha256", format!("{}\n", digest("sha256sum")));
    for checksum_url in
        ["SHA512SUMS".to_owned(), server.url("images/CHECKSUM"), other.url("disk.qcow2.sha256")]
    {
        let entry = json!({"handle": "disk.qcow2", "checksum_url": checksum_url});
        let version = at.version(&below(&server), &entry);
        at.assert_fetches(&version, &image);
        fs::remove_dir_all(at.store.path()).unwrap();
        fs::create_dir(at.store.path()).unwrap();
    }
    server.serve_bytes("images/SHA256SUMS", format!("{}  other\n", digest("sha256sum")));
    let entry = json!({"handle": "disk.qcow2", "checksum_url": "SHA256SUMS"});
    let error = at.refusal(&at.version(&below(&server), &entry));
    assert!(
        error.contains("it lists no SHA-256 or SHA-512 of disk.qcow2; it lists other"),
        "{error}"
    );
}

#[test]
fn a_repository_of_lagos_form_works_with_its_sha1_and_its_compressed_images() {
    let (at, server, image) = (Fixture::new(), Server::start(), sparse_image());
    server.serve_bytes("images/el7.img.xz", compressed("xz", &image));
    server.serve_bytes("images/el7.img.xz.hash", sum("sha1sum", &image));
    server.serve_bytes("images/el7.img.xz.metadata", r#"{"distro": "el7", "root-password": "x"}"#);
    let version = at.version(&below(&server), &json!({"handle": "el7.img"}));
    let stored = at.assert_fetches(&version, &image);
    assert_eq!(stored.metadata["distro"], "el7");
    assert_eq!(stored.digest.as_hex(), sum("sha1sum", &image));

    fs::remove_file(stored.path).unwrap();
    let mut lago = at.lago(Some(&at.path().join("repo.json")));
    let said = stderr(&lago.args(["template", "fetch", "disk"]).output().unwrap());
    assert!(said.contains("test:disk:v1 by a SHA-1, which can be forged"), "{said}");
}

#[test]
fn compressed_images_are_stored_decompressed_and_sparse() {
    let image = sparse_image();
    for program in ["xz", "zstd", "gzip"] {
        let (at, server, packed) = (Fixture::new(), Server::start(), compressed(program, &image));
        server.serve_bytes("disk", packed.clone());
        let stored = at.assert_fetches(&at.at(&server.url("disk"), &sha256(&packed)), &image);
        let room = fs::metadata(&stored.path).unwrap().blocks() * 512;
        assert!(room < 3 << 20, "{program}: {room} bytes");
    }
}

#[test]
fn a_qcow2_image_is_known_as_one() {
    let (at, server) = (Fixture::new(), Server::start());
    let path = at.path().join("made.qcow2");
    HostCommand::new("qemu-img")
        .args(["create", "-q", "-f", "qcow2"])
        .arg(&path)
        .arg("1M")
        .run()
        .unwrap();
    let image = fs::read(&path).unwrap();
    server.serve_bytes("disk.img.zst", compressed("zstd", &image));
    let packed = compressed("zstd", &image);
    let stored = at.assert_fetches(&at.at(&server.url("disk.img.zst"), &sha256(&packed)), &image);
    assert_eq!(stored.format, ImageFormat::Qcow2);
}

#[test]
fn another_content_is_refused_with_both_digests_and_leaves_nothing() {
    let (at, server, image) = (Fixture::new(), Server::start(), noise(100_000));
    let (promised, actual) = (sha256(b"another"), sha256(&image));
    server.serve_bytes("disk", image);
    let error = at.refusal(&at.at(&server.url("disk"), &promised));
    assert!(error.contains(&promised) && error.contains(&actual), "{error}");
    assert_eq!(at.files(), [".lock"]);
    assert_eq!(server.requests("disk").len(), 1, "trying again would not help");
}

#[test]
fn an_error_page_is_no_image() {
    let (at, server) = (Fixture::new(), Server::start());
    server.serve_bytes("disk", "<!DOCTYPE html><title>Sign in</title>");
    let error = at.refusal(&at.at(&server.url("disk"), &sha256(b"a disk")));
    assert!(error.contains("promises"), "{error}");
}

#[test]
fn an_image_that_is_damaged_at_its_source_is_said_to_be() {
    let (at, server) = (Fixture::new(), Server::start());
    let mut packed = compressed("xz", &noise(100_000));
    packed[50_000] ^= 1;
    server.serve_bytes("disk", packed.clone());
    let error = at.refusal(&at.at(&server.url("disk"), &sha256(&packed)));
    assert!(error.contains("damaged inside its xz compression"), "{error}");
    assert_eq!(at.files(), [".lock"]);
}

#[test]
fn a_busy_server_is_asked_again_and_one_that_has_nothing_is_not() {
    let (at, server, image) = (Fixture::new(), Server::start(), noise(1000));
    let busy = || Fault::Status(503, vec![("Retry-After", "0".into())]);
    server.serve(
        "disk",
        Served::new(image.clone()).faults([busy(), busy(), Fault::Status(429, vec![])]),
    );
    at.assert_fetches(&at.at(&server.url("disk"), &sha256(&image)), &image);
    assert_eq!(server.requests("disk").len(), 4);

    let error = Fixture::new().refusal(&at.at(&server.url("gone"), &sha256(&image)));
    assert!(error.contains("404 Not Found"), "{error}");
    // With `.xz` it is not there either.
    assert_eq!(server.requests("gone").len() + server.requests("gone.xz").len(), 2);
}

#[test]
fn a_server_that_stays_busy_is_given_up() {
    let (at, server) = (Fixture::new(), Server::start());
    server.serve("disk", Served::new("x").faults(vec![Fault::Status(502, vec![]); 9]));
    let error = at.refusal(&at.at(&server.url("disk"), &sha256(b"x")));
    assert!(
        error.contains("502 Bad Gateway") && error.contains("Gave up after 4 tries"),
        "{error}"
    );
    assert_eq!(server.requests("disk").len(), 4);
}

#[test]
fn nobody_at_the_address_is_said() {
    let at = Fixture::new();
    let address = Server::start().url("disk");
    let error = at.refusal(&at.at(&address, &sha256(b"x")));
    assert!(error.contains("Connection refused") && error.contains(&address), "{error}");
}

#[test]
fn redirects_are_followed_but_not_for_ever() {
    let (at, server, image) = (Fixture::new(), Server::start(), noise(1000));
    let to = |path: &str| Fault::Status(302, vec![("Location", server.url(path))]);
    server.serve("old", Served::new("").faults([to("disk")]));
    server.serve_bytes("disk", image.clone());
    at.assert_fetches(&at.at(&server.url("old"), &sha256(&image)), &image);
    server.serve("loop", Served::new("").faults(vec![to("loop"); 50]));
    let error = Fixture::new().refusal(&at.at(&server.url("loop"), &sha256(&image)));
    assert!(error.contains("more than 10 times"), "{error}");
}

#[test]
fn an_image_whose_length_is_not_said_comes_all_the_same() {
    let (at, server, image) = (Fixture::new(), Server::start(), sparse_image());
    server.serve("disk", Served { length: false, ..Served::new(image.clone()) });
    at.assert_fetches(&at.at(&server.url("disk"), &sha256(&image)), &image);
}

#[test]
fn a_length_that_never_comes_is_not_waited_for_for_ever() {
    let (at, server, image) = (Fixture::new(), Server::start(), noise(50_000));
    let file = Served { claimed_length: Some(60_000), ..Served::new(image.clone()) };
    server.serve("disk", file);
    let error = at.refusal(&at.at(&server.url("disk"), &sha256(&image)));
    assert!(error.contains("Gave up after") || error.contains("changed on the server"), "{error}");
}

#[test]
fn a_silent_server_is_given_up_and_what_came_is_kept() {
    let at =
        Fixture::with(TransferOptions { idle: Duration::from_secs(1), attempts: 2, ..options() });
    let (server, image) = (Server::start(), noise(600_000));
    server.serve(
        "disk",
        Served::new(image.clone()).faults(vec![
            Fault::Stall(300_000),
            Fault::Stall(0),
            Fault::Stall(0),
        ]),
    );
    let error = at.refusal(&at.at(&server.url("disk"), &sha256(&image)));
    assert!(error.contains("the server sent nothing for 1s"), "{error}");
    assert!(error.contains("of 600000 bytes are kept"), "{error}");
    assert_eq!(at.files(), [".lock", ".part", ".part.json"]);
}

#[test]
fn a_slow_server_is_waited_for() {
    let at = Fixture::with(TransferOptions { idle: Duration::from_secs(3), ..options() });
    let (server, image) = (Server::start(), noise(200_000));
    // Longer than the limit, altogether.
    let slow = Fault::Slow(10_000, Duration::from_millis(160));
    server.serve("disk", Served::new(image.clone()).faults([slow]));
    at.assert_fetches(&at.at(&server.url("disk"), &sha256(&image)), &image);
    assert_eq!(server.requests("disk").len(), 1);
}

#[test]
fn next_to_nothing_counts_as_silence() {
    let at =
        Fixture::with(TransferOptions { idle: Duration::from_secs(1), attempts: 2, ..options() });
    let (server, image) = (Server::start(), noise(200_000));
    let trickle = Fault::Slow(1, Duration::from_millis(20));
    server.serve("disk", Served::new(image.clone()).faults(vec![trickle; 2]));
    let error = at.refusal(&at.at(&server.url("disk"), &sha256(&image)));
    assert!(error.contains("the server sent next to nothing"), "{error}");
}

#[test]
fn an_image_that_is_replaced_between_its_digest_and_itself_comes_in_its_new_form() {
    let (at, server, old, new) = (Fixture::new(), Server::start(), noise(5000), noise(7000));
    server.serve_bytes("images/latest.img", new.clone());
    let sums = |image: &[u8]| format!("{}  latest.img\n", sha256(image));
    let replaced = Fault::Replace(sums(&new).into_bytes());
    server.serve("images/SHA256SUMS", Served::new(sums(&old)).faults([Fault::None, replaced]));
    let entry = json!({"handle": "latest.img", "checksum_url": "SHA256SUMS"});
    at.assert_fetches(&at.version(&below(&server), &entry), &new);
}

#[test]
fn a_newer_image_at_the_same_address_comes_when_it_is_asked_for_and_nobody_uses_the_old_one() {
    let (at, server, old, new) = (Fixture::new(), Server::start(), noise(5000), noise(7000));
    let publish = |image: &[u8]| {
        server.serve_bytes("images/latest.img", image);
        server.serve_bytes("images/SHA256SUMS", format!("{}  latest.img\n", sha256(image)));
    };
    publish(&old);
    let entry = json!({"handle": "latest.img", "checksum_url": "SHA256SUMS"});
    let version = at.version(&below(&server), &entry);
    let (prefix, uuid) = (at.path().join("prefix"), uuid::Uuid::new_v4());
    fs::create_dir(&prefix).unwrap();
    fs::write(prefix.join("uuid"), uuid.to_string()).unwrap();
    at.store.acquire(&version, uuid, &prefix).unwrap();
    publish(&new);
    let content = || fs::read(at.store.get_path(&version).unwrap()).unwrap();
    at.store.download(&version).unwrap();
    assert!(content() == old, "nobody asked for another one");
    let error = at.store.refresh(&version).unwrap_err();
    assert!(matches!(error, TemplateError::Changed { .. }), "{error}");
    fs::remove_dir_all(&prefix).unwrap();
    at.store.refresh(&version).unwrap();
    assert!(content() == new);
    drop(server);
    at.store.refresh(&version).unwrap();
    assert!(content() == new, "a source that does not answer is no reason to fail");
}

#[test]
fn a_login_in_the_address_is_used_and_never_shown() {
    let (at, server, image) = (Fixture::new(), Server::start(), noise(1000));
    server.serve_bytes("disk", image.clone());
    let url = |path| server.url(path).replace("://", "://me:secret@");
    let stored = at.assert_fetches(&at.at(&url("disk"), &sha256(&image)), &image);
    assert_eq!(server.requests("disk")[0].headers["authorization"], "Basic bWU6c2VjcmV0");
    let record = fs::read_to_string(at.store_file(".stored")).unwrap();
    assert!(!record.contains("secret"), "{record}");
    fs::remove_file(stored.path).unwrap();
    let error = at.refusal(&at.at(&url("gone"), &sha256(&image)));
    assert!(error.contains("/gone") && !error.contains("secret"), "{error}");
}

#[test]
fn nothing_is_used_without_a_digest() {
    let (at, server) = (Fixture::new(), Server::start());
    server.serve_bytes("images/disk", "x");
    let error = at.refusal(&at.version(&below(&server), &json!({"handle": "disk"})));
    assert!(error.contains("there is no digest to verify the image by"), "{error}");
    assert_eq!(server.requests("images/disk"), []);
}

#[test]
fn handles_do_not_leave_the_source() {
    let (at, server) = (Fixture::new(), Server::start());
    server.serve_bytes("secret", "x");
    for handle in ["../secret", "/secret", "a/../../secret", ""] {
        let entry = json!({"handle": handle, "hash": sha256(b"x")});
        let error = at.refusal(&at.version(&below(&server), &entry));
        assert!(error.contains("leads out of the source's directory"), "{handle}: {error}");
    }
    assert_eq!(server.requests("secret"), []);
}
