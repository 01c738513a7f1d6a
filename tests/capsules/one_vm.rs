//! One running VM, whose capsule is damaged, changed, and opened and saved by processes that are killed.

use lago::snapshot::SnapshotKind;
use lago_system_tests::{Environment, Place, in_guest};

use crate::{damage, killed, open, options, other_machine, save};

#[test]
fn what_goes_wrong_leaves_nothing_and_changes_nothing() {
    let place = Place::new("capsule-faults");
    let prefix = Environment::new(&place.join("prefix"), "one-vm.yaml");
    prefix.start().unwrap();
    in_guest(&prefix, "vm0", "echo memory > /dev/shm/mark; echo disk > /root/mark; sync");
    let file = place.join("vm.lago-capsule");
    save(&prefix, &file);

    damage::is_said(&place, &file);
    other_machine::is_told_from_this_one(&place, &file);
    killed::while_it_is_saved(&place, &prefix);
    killed::while_it_is_opened(&place, &file);
    boots_without_its_memory(&place, &file);
    assert_eq!(in_guest(&prefix, "vm0", "cat /dev/shm/mark"), "memory\n");
}

fn boots_without_its_memory(place: &Place, file: &std::path::Path) {
    let directory = place.join("no-memory");
    let options = lago::capsule::OpenOptions { no_memory: true, ..options(&directory) };
    let opened = Environment::from(lago::capsule::open(file, &options).unwrap());
    assert!(!opened.is_running().unwrap());
    assert_eq!(opened.snapshots().unwrap()[0].kind, SnapshotKind::Memory);
    opened.start().unwrap();
    assert_eq!(in_guest(&opened, "vm0", "cat /root/mark; ls /dev/shm"), "disk\n");
    drop(opened);
    // The directory is free again.
    drop(open(file, &directory).unwrap());
}
