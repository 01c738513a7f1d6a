//! A fork's disks stand on those of another prefix.

use std::fs;

use lago_system_tests::{Environment, Place};

use crate::{open, save};

#[test]
fn a_fork_is_packed_with_what_it_stands_on() {
    let place = Place::new("capsule-fork");
    let file = place.join("fork.lago-capsule");
    {
        let origin = Environment::new(&place.join("origin"), "one-vm.yaml");
        origin.snapshot("clean").unwrap();
        let fork = Environment::from(origin.fork("clean", place.join("fork")).unwrap());
        fork.snapshot("of-the-fork").unwrap();
        save(&fork, &file);
        drop(fork);
    }
    let opened = open(&file, &place.join("opened")).unwrap();
    assert_eq!(opened.record().origin, None);
    let names: Vec<_> = opened.snapshots().unwrap().into_iter().map(|kept| kept.name).collect();
    assert_eq!(names, ["capsule"]);
    let images = fs::read_dir(opened.paths().images()).unwrap();
    // The fork's two layers, the origin's image, and the seed.
    assert_eq!(images.count(), 4);
}
