//! Large images, which come in parts at the same time.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use lago::templates::TransferOptions;

use crate::fixture::{Fixture, compressed, noise, options, sha256, sparse_image};
use crate::server::{Fault, Served, Server};

const PART: usize = 1 << 20;

fn in_parts() -> Fixture {
    let part_size = PART as u64;
    Fixture::with(TransferOptions { parallel_from: 2 * part_size, part_size, ..options() })
}

#[test]
fn a_large_image_comes_in_parts_each_once() {
    let (at, server, image) = (in_parts(), Server::start(), noise(10 * PART + 123));
    server.serve_bytes("disk", image.clone());
    at.assert_fetches(&at.at(&server.url("disk"), &sha256(&image)), &image);
    let mut ranges = server.ranges("disk");
    ranges.sort();
    let mut expected: Vec<String> = (1..11)
        .map(|part| format!("bytes={}-{}", part * PART, image.len().min((part + 1) * PART) - 1))
        .chain(["whole".to_owned()])
        .collect();
    expected.sort();
    assert_eq!(ranges, expected);
    let requests = server.requests("disk");
    let named = requests.iter().filter(|request| request.headers.contains_key("if-range"));
    assert_eq!(named.count(), 10);
}

#[test]
fn its_holes_stay_holes() {
    let (at, server, image) = (in_parts(), Server::start(), sparse_image());
    server.serve_bytes("disk", image.clone());
    let stored = at.assert_fetches(&at.at(&server.url("disk"), &sha256(&image)), &image);
    let room = fs::metadata(&stored.path).unwrap().blocks() * 512;
    assert!(room < 3 << 20, "{room} bytes");
}

#[test]
fn a_compressed_one_is_decompressed_while_it_comes() {
    let (at, server, image) = (in_parts(), Server::start(), noise(6 * PART));
    let packed = compressed("zstd", &image);
    server.serve_bytes("disk", packed.clone());
    at.assert_fetches(&at.at(&server.url("disk"), &sha256(&packed)), &image);
    assert!(server.requests("disk").len() >= 6);
}

#[test]
fn parts_that_break_off_are_continued_alone() {
    let (at, server, image) = (in_parts(), Server::start(), noise(8 * PART));
    let faults =
        [Fault::Cut(300_000), Fault::Cut(300_000), Fault::Status(503, vec![]), Fault::Cut(0)];
    server.serve("disk", Served::new(image.clone()).faults(faults));
    at.assert_fetches(&at.at(&server.url("disk"), &sha256(&image)), &image);
    assert_eq!(server.requests("disk").len(), 8 + 4);
}

#[test]
fn an_image_that_changes_while_its_parts_come_is_begun_anew() {
    let (at, server, old, new) = (in_parts(), Server::start(), noise(8 * PART), noise(5 * PART));
    let faults = [Fault::None, Fault::None, Fault::None, Fault::Replace(new.clone())];
    server.serve("disk", Served::new(old).faults(faults));
    at.assert_fetches(&at.at(&server.url("disk"), &sha256(&new)), &new);
}

#[test]
fn parts_that_came_are_kept_when_the_server_is_given_up() {
    let (at, server, image) = (in_parts(), Server::start(), noise(8 * PART));
    let down = vec![Fault::Status(503, vec![]); 40];
    let faults = [vec![Fault::None; 4], down].concat();
    server.serve("disk", Served::new(image.clone()).faults(faults));
    let version = at.at(&server.url("disk"), &sha256(&image));
    let error = at.refusal(&version);
    assert!(error.contains("of 8388608 bytes are kept"), "{error}");
    server.serve_bytes("disk", image.clone());
    let before = server.requests("disk").len();
    at.assert_fetches(&version, &image);
    let after = &server.ranges("disk")[before..];
    assert!(after.len() <= 7 && !after.contains(&"whole".to_owned()), "{after:?}");
}

#[test]
fn a_server_that_does_not_offer_ranges_is_not_asked_for_them() {
    let (at, server, image) = (in_parts(), Server::start(), noise(5 * PART));
    server.serve("disk", Served { offers_ranges: false, ..Served::new(image.clone()) });
    at.assert_fetches(&at.at(&server.url("disk"), &sha256(&image)), &image);
    assert_eq!(server.ranges("disk"), ["whole"]);
}

#[test]
fn one_that_offers_them_and_has_none_gives_the_whole() {
    let (at, server, image) = (in_parts(), Server::start(), noise(5 * PART));
    server.serve("disk", Served { ranges: false, ..Served::new(image.clone()) });
    at.assert_fetches(&at.at(&server.url("disk"), &sha256(&image)), &image);
}

#[test]
fn a_server_that_does_not_like_many_connections_gets_fewer() {
    let part_size = PART as u64;
    let at = Fixture::with(TransferOptions {
        parallel_from: 2 * part_size,
        part_size,
        attempts: 2,
        ..options()
    });
    let (server, image) = (Server::start(), noise(8 * PART));
    // The first part comes slowly enough for the other connections to give up.
    let slow = Fault::Slow(20_000, Duration::from_millis(20));
    let faults = [vec![slow], vec![Fault::Status(503, vec![]); 6]].concat();
    server.serve("disk", Served::new(image.clone()).faults(faults));
    at.assert_fetches(&at.at(&server.url("disk"), &sha256(&image)), &image);
    assert_eq!(server.requests("disk").len(), 8 + 6);
}

#[test]
fn a_wrong_digest_of_a_large_image_is_noticed() {
    let (at, server, image) = (in_parts(), Server::start(), noise(5 * PART));
    server.serve_bytes("disk", image.clone());
    let error = at.refusal(&at.at(&server.url("disk"), &sha256(b"x")));
    assert!(error.contains(&sha256(&image)), "{error}");
    assert_eq!(at.files(), [".lock"]);
}
