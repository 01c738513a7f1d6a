//! Encrypted connections, to servers that are who they are and others.

use std::fs;
use std::path::{Path, PathBuf};

use lago::utils::HostCommand;
use native_tls::Identity;
use serde_json::json;

use crate::fixture::{Fixture, noise, sha256, stderr};
use crate::server::{Fault, Served, Server};

/// A server whose certificate comes from an authority that nobody knows, and the authority's certificate.
fn server(dir: &Path, names: &str) -> (Server, PathBuf) {
    let openssl = |args: &[&str]| {
        HostCommand::new("openssl").args(args).current_dir(dir).run().unwrap();
    };
    let days = ["-days", "2", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    let ca = ["req", "-x509", "-subj", "/CN=an authority", "-keyout", "ca.key", "-out", "ca.crt"];
    openssl(&[&ca[..], &days[..]].concat());
    let request = ["req", "-subj", "/CN=a server", "-keyout", "key.pem", "-out", "request.pem"];
    openssl(&[&request[..], &days[2..]].concat());
    fs::write(dir.join("names"), format!("subjectAltName={names}\n")).unwrap();
    openssl(&[
        "x509",
        "-req",
        "-days",
        "2",
        "-in",
        "request.pem",
        "-CA",
        "ca.crt",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-extfile",
        "names",
        "-out",
        "cert.pem",
    ]);
    let read = |name: &str| fs::read(dir.join(name)).unwrap();
    let identity = Identity::from_pkcs8(&read("cert.pem"), &read("key.pem")).unwrap();
    (Server::start_tls(identity), dir.join("ca.crt"))
}

/// Has `lago` fetch an image, with another authority trusted besides the machine's own.
fn fetch(at: &Fixture, url: &str, digest: &str, trusted: Option<&Path>) -> Result<(), String> {
    let entry = json!({"handle": url, "hash": digest});
    let manifest = at.manifest(&json!({"type": "http", "args": {}}), &entry);
    let mut lago = at.lago(Some(&manifest));
    lago.args(["template", "fetch", "disk"]).envs(trusted.map(|path| ("SSL_CERT_FILE", path)));
    let output = lago.output().unwrap();
    if output.status.success() { Ok(()) } else { Err(stderr(&output)) }
}

#[test]
fn a_server_whose_authority_is_trusted_serves_images() {
    let (at, image) = (Fixture::new(), noise(300_000));
    let (server, ca) = server(at.path(), "IP:127.0.0.1");
    server.serve_bytes("disk", image.clone());
    fetch(&at, &server.url("disk"), &sha256(&image), Some(&ca)).unwrap();
    assert!(fs::read(at.store_file("")).unwrap() == image);
}

#[test]
fn one_whose_authority_is_unknown_does_not() {
    let (at, image) = (Fixture::new(), noise(1000));
    let (server, _) = server(at.path(), "IP:127.0.0.1");
    server.serve_bytes("disk", image.clone());
    let error = fetch(&at, &server.url("disk"), &sha256(&image), None).unwrap_err();
    assert!(
        error.contains("could not prove who it is") && error.contains("SSL_CERT_FILE"),
        "{error}"
    );
    assert!(!error.contains("trying again"), "{error}");
    assert_eq!(server.requests("disk"), []);
    assert_eq!(at.files(), [".lock"]);
}

#[test]
fn nor_does_one_with_another_name() {
    let (at, image) = (Fixture::new(), noise(1000));
    let (server, ca) = server(at.path(), "DNS:example.org");
    server.serve_bytes("disk", image.clone());
    let error = fetch(&at, &server.url("disk"), &sha256(&image), Some(&ca)).unwrap_err();
    assert!(error.contains("could not prove who it is"), "{error}");
    assert_eq!(server.requests("disk"), []);
}

#[test]
fn nobody_is_led_from_an_encrypted_address_to_one_that_is_not() {
    let (at, image, plain) = (Fixture::new(), noise(1000), Server::start());
    let (server, ca) = server(at.path(), "IP:127.0.0.1");
    plain.serve_bytes("disk", image.clone());
    let location = Fault::Status(302, vec![("Location", plain.url("disk"))]);
    server.serve("disk", Served::new("").faults([location]));
    let error = fetch(&at, &server.url("disk"), &sha256(&image), Some(&ca)).unwrap_err();
    assert!(error.contains("which is not encrypted; this is refused"), "{error}");
    assert_eq!(plain.requests("disk"), []);
}
