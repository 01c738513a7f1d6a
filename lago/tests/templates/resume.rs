//! Downloads that are interrupted.

use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use lago::utils::HostCommand;
use serde_json::json;

use crate::fixture::{Fixture, compressed, noise, sha256, stderr};
use crate::server::{Fault, Served, Server};

const IMAGE: usize = 2 << 20;

#[test]
fn a_cut_connection_is_continued_where_it_broke() {
    let (at, server, image) = (Fixture::new(), Server::start(), noise(IMAGE));
    let cuts = [Fault::Cut(700_000), Fault::Cut(500_000)];
    server.serve("disk", Served::new(image.clone()).faults(cuts));
    at.assert_fetches(&at.at(&server.url("disk"), &sha256(&image)), &image);
    let last = IMAGE - 1;
    let expected =
        ["whole".to_owned(), format!("bytes=700000-{last}"), format!("bytes=1200000-{last}")];
    assert_eq!(server.ranges("disk"), expected);
    let requests = server.requests("disk");
    assert!(requests[1..].iter().all(|request| request.headers["if-range"] == "\"one\""));
}

#[test]
fn so_is_that_of_a_compressed_image() {
    let (at, server, image) = (Fixture::new(), Server::start(), noise(IMAGE));
    let packed = compressed("xz", &image);
    server.serve(
        "disk",
        Served::new(packed.clone()).faults([Fault::Cut(100_000), Fault::Cut(0), Fault::Cut(1)]),
    );
    at.assert_fetches(&at.at(&server.url("disk"), &sha256(&packed)), &image);
    assert_eq!(server.requests("disk").len(), 4);
}

#[test]
fn the_time_of_the_last_change_tells_too_whether_it_is_the_same_file() {
    let (at, server, image) = (Fixture::new(), Server::start(), noise(IMAGE));
    let time = "Fri, 27 Nov 2026 10:00:00 GMT".to_owned();
    let file = Served {
        etag: Some("W/\"weak\"".into()),
        last_modified: Some(time.clone()),
        ..Served::new(image.clone())
    };
    server.serve("disk", file.faults([Fault::Cut(700_000)]));
    at.assert_fetches(&at.at(&server.url("disk"), &sha256(&image)), &image);
    assert_eq!(server.requests("disk")[1].headers["if-range"], time);
}

#[test]
fn a_file_that_changes_in_between_comes_anew() {
    let (at, server, old, new) = (Fixture::new(), Server::start(), noise(IMAGE), noise(IMAGE / 2));
    let faults = [Fault::Cut(700_000), Fault::Replace(new.clone())];
    server.serve("disk", Served::new(old).faults(faults));
    at.assert_fetches(&at.at(&server.url("disk"), &sha256(&new)), &new);
    assert_eq!(server.requests("disk").len(), 2, "the answer with the new file is used");
}

#[test]
fn a_file_that_changes_all_the_time_is_given_up() {
    let (at, server) = (Fixture::new(), Server::start());
    let change = |byte: u8| [Fault::Cut(700_000), Fault::Replace(vec![byte; IMAGE])];
    // Each new answer is cut as well.
    let cut = |byte| change(byte).into_iter().rev().collect::<Vec<_>>();
    let faults: Vec<Fault> =
        [Fault::Cut(700_000)].into_iter().chain((0..20).flat_map(cut)).collect();
    server.serve("disk", Served::new(noise(IMAGE)).faults(faults));
    let error = at.refusal(&at.at(&server.url("disk"), &sha256(b"x")));
    assert!(error.contains("changed on the server") || error.contains("promises"), "{error}");
    assert_eq!(at.files(), [".lock"]);
}

#[test]
fn a_server_without_ranges_begins_again() {
    let (at, server, image) = (Fixture::new(), Server::start(), noise(IMAGE));
    let file = Served { ranges: false, offers_ranges: false, ..Served::new(image.clone()) };
    server.serve("disk", file.faults([Fault::Cut(700_000)]));
    at.assert_fetches(&at.at(&server.url("disk"), &sha256(&image)), &image);
    assert_eq!(server.requests("disk").len(), 2, "the answer with the whole file is used");
}

#[test]
fn without_anything_that_identifies_the_file_it_comes_whole() {
    let (at, server, image) = (Fixture::new(), Server::start(), noise(IMAGE));
    let file = Served { etag: None, ..Served::new(image.clone()) };
    server.serve("disk", file.faults([Fault::Cut(700_000), Fault::Cut(800_000)]));
    at.assert_fetches(&at.at(&server.url("disk"), &sha256(&image)), &image);
    assert_eq!(server.ranges("disk"), ["whole", "whole", "whole"]);
}

#[test]
fn a_length_that_is_not_known_is_no_obstacle() {
    let (at, server, image) = (Fixture::new(), Server::start(), noise(IMAGE));
    // A body that ends with its connection cannot be told from a cut one: the digest does that.
    let file = Served { length: false, ..Served::new(image.clone()) };
    server.serve("disk", file.faults([Fault::Cut(700_000)]));
    let version = at.at(&server.url("disk"), &sha256(&image));
    assert!(at.refusal(&version).contains("promises"));
    at.assert_fetches(&version, &image);
}

#[test]
fn what_came_before_the_server_was_given_up_is_continued_the_next_time() {
    let (at, server, image) = (Fixture::new(), Server::start(), noise(IMAGE));
    let mut faults = vec![Fault::Cut(700_000)];
    faults.extend(vec![Fault::Status(503, vec![]); 4]);
    server.serve("disk", Served::new(image.clone()).faults(faults));
    let version = at.at(&server.url("disk"), &sha256(&image));
    let error = at.refusal(&version);
    assert!(
        error.contains("700000 of 2097152 bytes are kept, and the next try goes on from there"),
        "{error}"
    );
    assert_eq!(at.files(), [".lock", ".part", ".part.json"]);
    let before = server.requests("disk").len();
    at.assert_fetches(&version, &image);
    assert_eq!(server.ranges("disk")[before..], [format!("bytes=700000-{}", IMAGE - 1)]);
}

#[test]
fn what_was_kept_is_dropped_when_the_server_has_another_file() {
    let (at, server, old, new) = (Fixture::new(), Server::start(), noise(IMAGE), noise(1 << 20));
    let mut faults = vec![Fault::Cut(700_000)];
    faults.extend(vec![Fault::Status(503, vec![]); 4]);
    server.serve("disk", Served::new(old).faults(faults));
    at.refusal(&at.at(&server.url("disk"), &sha256(b"x")));
    server.serve("disk", Served { etag: Some("\"two\"".into()), ..Served::new(new.clone()) });
    at.assert_fetches(&at.at(&server.url("disk"), &sha256(&new)), &new);
}

#[test]
fn a_shorter_file_than_what_was_kept_comes_anew() {
    let (at, server, old, new) = (Fixture::new(), Server::start(), noise(IMAGE), noise(1000));
    let mut faults = vec![Fault::Cut(700_000)];
    faults.extend(vec![Fault::Status(503, vec![]); 4]);
    server.serve("disk", Served::new(old).faults(faults));
    at.refusal(&at.at(&server.url("disk"), &sha256(b"x")));
    // A server that ignores what identifies the file.
    server.serve("disk", Served::new(new.clone()));
    at.assert_fetches(&at.at(&server.url("disk"), &sha256(&new)), &new);
}

#[test]
fn damage_in_what_was_kept_is_noticed_and_mended() {
    let (at, server, image) = (Fixture::new(), Server::start(), noise(IMAGE));
    let mut faults = vec![Fault::Cut(700_000)];
    faults.extend(vec![Fault::Status(503, vec![]); 4]);
    server.serve("disk", Served::new(image.clone()).faults(faults));
    let version = at.at(&server.url("disk"), &sha256(&image));
    at.refusal(&version);
    let mut part = fs::read(at.store_file(".part")).unwrap();
    part[1000] ^= 1;
    fs::write(at.store_file(".part"), part).unwrap();
    at.assert_fetches(&version, &image);
    assert_eq!(server.ranges("disk").last().unwrap(), "whole");
}

#[test]
fn a_killed_download_is_continued_by_the_next_process() {
    let (at, server, image) = (Fixture::new(), Server::start(), noise(IMAGE));
    let slow = Fault::Slow(100_000, Duration::from_millis(200));
    server.serve("disk", Served::new(image.clone()).faults([slow]));
    let entry = json!({"handle": server.url("disk"), "hash": sha256(&image)});
    let source = json!({"type": "http", "args": {}});
    let manifest = at.manifest(&source, &entry);
    let mut child = at
        .lago(Some(&manifest))
        .args(["template", "fetch", "disk"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let done = || -> Option<u64> {
        let state = fs::read(at.store_file(".part.json")).ok()?;
        let state: serde_json::Value = serde_json::from_slice(&state).ok()?;
        state["parts"][0]["done"].as_u64()
    };
    let start = Instant::now();
    while done().unwrap_or(0) == 0 {
        assert!(start.elapsed() < Duration::from_secs(60), "nothing came");
        assert_eq!(child.try_wait().unwrap(), None, "it ended before it was killed");
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = done().unwrap();
    let version = at.version(&source, &entry);
    at.assert_fetches(&version, &image);
    assert_eq!(server.ranges("disk"), ["whole".to_owned(), format!("bytes={kept}-{}", IMAGE - 1)]);
}

#[test]
fn a_full_disk_is_said_and_leaves_nothing() {
    for program in ["cat", "xz"] {
        let (at, server) = (Fixture::new(), Server::start());
        let image = [noise(100_000), vec![7; 4 << 20], noise(IMAGE)].concat();
        let packed = if program == "cat" { image } else { compressed(program, &image) };
        server.serve_bytes("disk", packed.clone());
        let entry = json!({"handle": server.url("disk"), "hash": sha256(&packed)});
        let manifest = at.manifest(&json!({"type": "http", "args": {}}), &entry);
        let script =
            "mount -t tmpfs -o size=3m small \"$1\" && shift && \"$@\"; ls -A \"$LAGO_STORE\"";
        let mut lago = at.lago(Some(&manifest));
        lago.args(["template", "fetch", "disk"]);
        let output = HostCommand::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"])
            .arg(at.store.path())
            .arg(lago.get_program())
            .args(lago.get_args());
        let mut output = output;
        output
            .command_mut()
            .env_clear()
            .envs(lago.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = output.output().unwrap();
        let said = output.stderr_text();
        assert!(
            said.contains("cannot fetch the template `test:disk:v1`: cannot write "),
            "{program}: {said}"
        );
        assert!(
            said.contains("No space left on device (os error 28); free some space"),
            "{program}: {said}"
        );
        assert_eq!(output.stdout_text(), "test:disk:v1.lock\n", "{program}: {said}");
    }
}

#[test]
fn processes_that_want_the_same_image_fetch_it_once_and_say_for_whom_they_wait() {
    let (at, server, image) = (Fixture::new(), Server::start(), noise(IMAGE));
    let slow = Fault::Slow(100_000, Duration::from_millis(150));
    server.serve("disk", Served::new(image.clone()).faults([slow]));
    let entry = json!({"handle": server.url("disk"), "hash": sha256(&image)});
    let manifest = at.manifest(&json!({"type": "http", "args": {}}), &entry);
    let start = || {
        let mut lago = at.lago(Some(&manifest));
        lago.args(["template", "fetch", "disk"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        lago.spawn().unwrap()
    };
    let first = start();
    while server.requests("disk").is_empty() {
        thread::sleep(Duration::from_millis(5));
    }
    let (first_pid, second) = (first.id(), start());
    let outputs = [first.wait_with_output().unwrap(), second.wait_with_output().unwrap()];
    assert!(outputs.iter().all(|output| output.status.success()), "{outputs:?}");
    assert_eq!(server.requests("disk").len(), 1);
    let said = stderr(&outputs[1]);
    let expected = format!("in use by process {first_pid} (`");
    assert!(
        said.contains("waiting for") && said.contains("test:disk:v1") && said.contains(&expected),
        "{said}"
    );
}
