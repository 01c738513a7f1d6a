//! The verbs of the `lago` command.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;
use serde_json::{Value, json};

use crate::fixture::{Fixture, noise, sha256, stderr};
use crate::server::{Fault, Served, Server};

/// Runs `lago` and reads what it prints.
#[track_caller]
fn shown(mut lago: Command, args: &[&str]) -> Value {
    let output = lago.args(["--out-format", "json"]).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    if output.stdout.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn manifest(at: &Fixture, image: &[u8]) -> (Server, std::path::PathBuf) {
    let server = Server::start();
    server.serve_bytes("disk", image);
    let entry = json!({"handle": server.url("disk"), "hash": sha256(image)});
    let manifest = at.manifest(&json!({"type": "http", "args": {}}), &entry);
    (server, manifest)
}

#[test]
fn the_store_is_listed_and_pruned() {
    let at = Fixture::new();
    let (_server, manifest) = manifest(&at, &noise(3 << 20));
    let lago = || at.lago(Some(&manifest));
    let fetched = shown(lago(), &["template", "fetch", "disk"]);
    assert_eq!(fetched["Stored"]["test:disk:v1"]["path"], json!(at.store_file("")));
    let listed = shown(lago(), &["store", "list"]);
    let image = &listed["Store"]["images"]["test:disk:v1"];
    assert_eq!(
        (&image["state"], &image["format"], &image["users"]),
        (&json!("whole"), &json!("raw"), &json!([]))
    );
    assert_eq!(image["size"], "4 MiB");
    assert_eq!(shown(lago(), &["store", "prune"]), json!({"Removed": {}}));
    assert_eq!(shown(lago(), &["store", "prune", "--older-than", "1"]), json!({"Removed": {}}));
    let removed = shown(lago(), &["store", "prune", "--all"]);
    assert_eq!(removed["Removed"]["test:disk:v1"]["state"], "whole");
    assert_eq!(at.files(), <[&str; 0]>::default());
    let both = lago().args(["store", "prune", "--all", "--older-than", "1"]).output().unwrap();
    assert_eq!(both.status.code(), Some(2));
}

#[test]
fn a_terminal_shows_how_far_a_download_is() {
    let at = Fixture::new();
    let (server, manifest) = manifest(&at, &[]);
    let image = noise(2 << 20);
    let slow = Fault::Slow(200_000, Duration::from_millis(60));
    server.serve("disk", Served::new(image.clone()).faults([slow]));
    let text = fs::read_to_string(&manifest).unwrap().replace(&sha256(&[]), &sha256(&image));
    fs::write(&manifest, text).unwrap();
    let pty = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    rustix::pty::grantpt(&pty).unwrap();
    rustix::pty::unlockpt(&pty).unwrap();
    let size = Winsize { ws_row: 24, ws_col: 160, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&pty, size).unwrap();
    let name = rustix::pty::ptsname(&pty, Vec::new()).unwrap().into_string().unwrap();
    let terminal = fs::OpenOptions::new().read(true).write(true).open(name).unwrap();
    let mut lago = at.lago(Some(&manifest));
    lago.args(["template", "fetch", "disk"])
        .env("TERM", "xterm")
        .stdout(Stdio::null())
        .stderr(terminal);
    let mut child = lago.spawn().unwrap();
    // Only the child has the terminal now: reading ends with it.
    drop(lago);
    let mut shown = Vec::new();
    let mut master = fs::File::from(pty);
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = master.read(&mut buffer) {
        shown.extend_from_slice(&buffer[..count]);
    }
    assert!(child.wait().unwrap().success());
    let shown = String::from_utf8_lossy(&shown);
    assert!(shown.contains("/2.00 MiB"), "{shown}");
}

#[test]
fn templates_and_repositories_are_added_listed_and_removed() {
    let at = Fixture::new();
    let (server, manifest) = manifest(&at, b"a disk");
    let lago = || at.lago(None);
    server.serve_bytes("repo.json", fs::read(&manifest).unwrap());
    let added =
        shown(lago(), &["template-repo", "add", &server.url("repo.json"), "--name", "team"]);
    assert_eq!(added["Repositories"]["team"]["templates"], "disk");
    assert_eq!(
        shown(lago(), &["template-repo", "list"])["Repositories"]["team"]["kind"],
        "manifest"
    );
    shown(lago(), &["template-repo", "update"]);
    let added = shown(
        lago(),
        &["template", "add", &server.url("disk"), "--name", "mine", "--sha256", &sha256(b"a disk")],
    );
    assert_eq!(added["Template"]["version"], "v1");
    let templates = shown(lago(), &["list", "templates"])["Templates"].clone();
    assert_eq!(
        (&templates["mine"]["repository"], &templates["disk"]["repository"]),
        (&json!("user"), &json!("test"))
    );
    assert_eq!(templates["debian-12"]["repository"], "cloud", "lago's own");
    shown(lago(), &["template", "remove", "mine"]);
    shown(lago(), &["template-repo", "remove", "team"]);
    assert_eq!(shown(lago(), &["template-repo", "list"]), json!({"Repositories": {}}));
    server.serve_bytes("repo.json", "{");
    let broken = lago().args(["template-repo", "add", &server.url("repo.json")]).output().unwrap();
    assert_eq!(broken.status.code(), Some(1));
    assert!(stderr(&broken).contains("cannot be used"), "{broken:?}");
}

#[test]
fn an_update_that_fails_is_said_and_the_others_are_made() {
    let at = Fixture::new();
    let (server, manifest) = manifest(&at, b"a disk");
    let text = fs::read(&manifest).unwrap();
    for name in ["one", "two"] {
        server.serve_bytes(&format!("{name}.json"), text.clone());
        shown(at.lago(None), &["template-repo", "add", &server.url(&format!("{name}.json"))]);
    }
    server.serve_bytes("one.json", "{");
    let output = at.lago(None).args(["template-repo", "update"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("one stays as it is"), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("[two]"), "{output:?}");
}

#[test]
fn a_digest_that_is_none_is_a_mistake_of_the_command_line() {
    let at = Fixture::new();
    let output = at
        .lago(None)
        .args(["template", "add", "https://x/disk", "--sha256", "abc"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(!Path::new(&at.path().join("repos")).exists());
}

#[test]
fn a_disk_of_an_init_file_may_be_a_file_on_a_server() {
    let (at, server, image) = (Fixture::new(), Server::start(), noise(50_000));
    server.serve_bytes("cd.iso", image.clone());
    let kept = at.path().join("kept/data.img");
    let init_file = format!(
        "domains:\n  vm0:\n    memory: 128\n    bootstrap: false\n    nics: [{{net: lan}}]\n    disks:\n      \
         - {{name: cd, type: file, url: '{url}', dev: hda, format: iso}}\n      \
         - {{name: data, type: file, url: '{url}', path: {kept}, make_a_copy: true, dev: vda, format: raw}}\n\
         nets:\n  lan: {{type: nat, management: true}}\n",
        url = server.url("cd.iso"),
        kept = kept.display(),
    );
    let path = at.path().join("LagoInitFile.yaml");
    fs::write(&path, init_file).unwrap();
    let prefix = at.path().join("prefix");
    let init = || {
        let mut lago = at.lago(None);
        lago.arg("--prefix-path").arg(&prefix).arg("init").arg(&path).output().unwrap()
    };
    let output = init();
    assert!(stderr(&output).contains("there is no digest of"), "{output:?}");
    assert!(!prefix.exists() && !kept.exists());

    server.serve_bytes("cd.iso.sha256", format!("{}  cd.iso\n", sha256(&image)));
    let output = init();
    assert!(output.status.success(), "{output:?}");
    let images = prefix.join("images");
    for file in [images.join("vm0_cd.iso"), images.join("vm0_data.img"), kept.clone()] {
        assert!(fs::read(&file).unwrap() == image, "{}", file.display());
    }
    let left = |dir: &Path| fs::read_dir(dir).unwrap().count();
    assert_eq!((left(&images), left(kept.parent().unwrap())), (2, 1));

    // What is kept needs no server.
    drop(server);
    fs::remove_dir_all(&prefix).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let without_cd: Vec<&str> = text.lines().filter(|line| !line.contains("name: cd")).collect();
    fs::write(&path, without_cd.join("\n")).unwrap();
    let output = init();
    assert!(output.status.success(), "{output:?}");
}
