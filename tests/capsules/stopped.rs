//! Capsules without memory, for which nothing has to boot.

use std::fs;
use std::path::Path;

use lago::Prefix;
use lago::capsule::{self, OpenOptions, SaveOptions};
use lago::paths::Paths;
use lago::snapshot::SnapshotKind;
use lago::utils::HostCommand;
use lago_system_tests::{Environment, Place, repository};

use crate::{options, refused, save};

#[test]
fn disks_come_back_and_templates_are_found_by_their_digest() {
    let place = Place::new("capsule-stopped");
    let prefix = Environment::new(&place.join("prefix"), "two-vms.yaml");
    let written = write(&prefix, "server", "vdb", "data");
    let file = place.join("down.lago-capsule");
    let saved = save(&prefix, &file);
    assert!(saved.pause.is_zero() && saved.bytes < 2 << 20, "{saved:?}");
    assert!(!prefix.paths().layers().exists(), "nothing has changed");

    a_missing_template_is_named(&place, &file);
    let opened =
        open_with(&file, &OpenOptions { repositories: vec![repository()], ..empty(&place) });
    assert_eq!(read(&opened, "server", "vdb"), written);
    assert_eq!(opened.snapshots().unwrap()[0].kind, SnapshotKind::Stopped);
    // Its own store has the template now, so no repository is needed.
    let again = open_with(&file, &OpenOptions { path: place.join("again"), ..empty(&place) });
    assert_eq!(again.record().id, prefix.record().id);
    again.revert("capsule").unwrap();
    assert_eq!(read(&again, "server", "vdb"), written);
    has_its_templates(&place, &prefix, &written);
    can_be_moved(&place, again);
}

fn empty(place: &Place) -> OpenOptions {
    let store = Some(place.join("other-store"));
    OpenOptions { store, repositories: Vec::new(), ..options(&place.join("opened")) }
}

fn open_with(file: &Path, options: &OpenOptions) -> Environment {
    Environment::from(capsule::open(file, options).unwrap())
}

fn a_missing_template_is_named(place: &Place, file: &Path) {
    let error = capsule::open(file, &empty(place)).unwrap_err().to_string();
    for part in [
        "needs the template `fixtures:mini:",
        "with the digest SHA-256 ",
        "is not in the store",
        "--template-repo-path",
        "--with-templates",
    ] {
        assert!(error.contains(part), "{part:?} is not in: {error}");
    }
    assert!(!place.join("opened").exists());
    let exists = place.join("prefix");
    let error = capsule::open(file, &options(&exists)).unwrap_err().to_string();
    assert!(error.contains("is a prefix already"), "{error}");
    assert!(Paths::new(&exists).is_prefix());
}

fn has_its_templates(place: &Place, prefix: &Environment, written: &str) {
    let file = place.join("with.lago-capsule");
    let packed = SaveOptions { with_templates: true, ..SaveOptions::default() };
    let bytes = prefix.save_capsule(&file, &packed).unwrap().bytes;
    assert!(bytes > 10 << 20, "{bytes}");
    let nowhere = Some(place.join("no-store"));
    let opened =
        open_with(&file, &OpenOptions { store: nowhere, path: place.join("with"), ..empty(place) });
    assert_eq!(read(&opened, "server", "vdb"), written);
    let images = fs::read_dir(opened.paths().images()).unwrap();
    let templates = images.filter(|image| {
        image.as_ref().unwrap().file_name().to_string_lossy().starts_with("template-")
    });
    assert_eq!(templates.count(), 1);
    // A store that has it is used rather than a second copy.
    let path = place.join("with-store");
    let opened = open_with(&file, &OpenOptions { path, ..options(Path::new("")) });
    assert!(!opened.paths().images().join("template-0.qcow2").exists());
    let error = refused(&place.join("nothing"), &place.join("nowhere"));
    assert!(error.contains("No such file"), "{error}");
}

/// What stands on each other in it is named from where it is.
fn can_be_moved(place: &Place, opened: Environment) {
    let moved = place.join("moved");
    fs::rename(opened.paths().prefix(), &moved).unwrap();
    let prefix = Environment::from(Prefix::open(&moved).unwrap());
    for file in HostCommand::new("find")
        .arg(prefix.paths().layers())
        .args(["-name", "*.qcow2"])
        .run()
        .unwrap()
        .stdout_text()
        .lines()
    {
        HostCommand::new("qemu-img").args(["info", "--backing-chain", file]).run().unwrap();
    }
    drop(opened);
}

/// Writes to a disk of a VM that is down, and returns what is read of it then.
fn write(prefix: &Prefix, vm: &str, dev: &str, text: &str) -> String {
    let script = format!("write -P {} 1M 64k", text.as_bytes()[0]);
    HostCommand::new("qemu-io")
        .args(["-f", "qcow2", "-c", &script])
        .arg(disk(prefix, vm, dev))
        .run()
        .unwrap();
    read(prefix, vm, dev)
}

fn read(prefix: &Prefix, vm: &str, dev: &str) -> String {
    let script = "read -v 1M 64";
    let read = HostCommand::new("qemu-io")
        .args(["-r", "-f", "qcow2", "-c", script])
        .arg(disk(prefix, vm, dev))
        .run()
        .unwrap();
    read.stdout_text().lines().take_while(|line| line.contains(':')).map(str::to_owned).collect()
}

/// The image that the VM would write to.
fn disk(prefix: &Prefix, vm: &str, dev: &str) -> std::path::PathBuf {
    let newest = fs::read_dir(prefix.paths().layers()).into_iter().flatten().flatten();
    let newest = newest.filter_map(|layer| layer.file_name().to_str()?.parse().ok()).max();
    let root = prefix.paths().prefix();
    if let Some(layer) = newest {
        return root.join(Paths::layer_disk(layer, vm, dev));
    }
    let disks = &prefix.record().disks[vm];
    root.join(&disks.iter().find(|disk| disk.dev == dev).unwrap().path)
}
