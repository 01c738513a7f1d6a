//! A guest from an image that comes over the network, compressed.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::thread;

use lago_system_tests::{Place, init_file, lago, repository_manifest, run};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The image `mini` as xz has it, and its SHA-256.
fn compressed_mini() -> (Vec<u8>, String) {
    let manifest: Value =
        serde_json::from_slice(&fs::read(repository_manifest()).expect("it reads")).expect("JSON");
    let root = manifest["sources"]["local"]["args"]["root"].as_str().expect("a path");
    let versions = manifest["templates"]["mini"]["versions"].as_object().expect("mini is listed");
    let handle = versions.values().next().expect("it has a version")["handle"].as_str();
    let image = Path::new(root).join(handle.expect("a handle is a name"));
    let output = Command::new("xz").args(["-0", "-c"]).arg(image).output().expect("xz runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let digest = format!("{:x}", Sha256::digest(&output.stdout));
    (output.stdout, digest)
}

/// Serves the same bytes to everybody, and returns its address.
fn serve(content: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let lines = BufReader::new(&stream).lines().map_while(Result::ok);
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            let length = content.len();
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&content)).ok();
        }
    });
    format!("http://{address}")
}

#[test]
fn a_guest_comes_up_from_a_compressed_image_on_a_web_server_and_its_image_stays_while_it_is_used() {
    let place = Place::new("downloaded");
    let (image, digest) = compressed_mini();
    let manifest = json!({
        "name": "web",
        "sources": {"here": {"type": "http", "args": {"baseurl": serve(image)}}},
        "templates": {"served": {"versions": {
            "v1": {"source": "here", "handle": "mini.qcow2.xz", "timestamp": 1, "hash": digest},
        }}},
    });
    fs::write(place.join("repo.json"), manifest.to_string()).expect("it writes");
    let text = fs::read_to_string(init_file("one-vm.yaml")).expect("it reads");
    let text = text.replace("template_name: mini", "template_name: served");
    fs::write(place.join("LagoInitFile.yaml"), text).expect("it writes");
    let prefix = place.join("prefix");
    let run_lago = |args: &[&str]| {
        let mut lago = lago(["--out-format", "json"]);
        lago.args(args).current_dir(place.path());
        lago.env("LAGO_TEMPLATE_REPO_PATH", place.join("repo.json"));
        lago.env("LAGO_STORE", place.join("store")).env("LAGO_PREFIX_PATH", &prefix);
        run(&mut lago).ok()
    };
    let prune = || -> Value {
        serde_json::from_str(&run_lago(&["store", "prune", "--all"])).expect("it is JSON")
    };

    run_lago(&["init"]);
    run_lago(&["start"]);
    assert_eq!(run_lago(&["shell", "vm0", "-c", "hostname"]), "vm0\n");
    run_lago(&["snapshot", "clean"]);
    run_lago(&["fork", "clean", &place.join("fork").to_string_lossy()]);
    assert_eq!(prune(), json!({"Removed": {}}));
    let listed: Value = serde_json::from_str(&run_lago(&["store", "list"])).expect("it is JSON");
    let entry = &listed["Store"]["images"]["web:served:v1"];
    assert_eq!((&entry["state"], &entry["format"]), (&json!("whole"), &json!("qcow2")));
    assert_eq!(entry["users"], json!([prefix]));

    run_lago(&["--prefix-path", &place.join("fork").to_string_lossy(), "destroy", "--yes"]);
    run_lago(&["destroy", "--yes"]);
    assert_eq!(prune()["Removed"]["web:served:v1"]["users"], json!([]));
}
