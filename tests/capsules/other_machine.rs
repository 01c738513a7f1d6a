//! Capsules of machines that are not like this one: this one's, rewritten.

use std::fs;
use std::path::{Path, PathBuf};

use lago::host::{Acceleration, probe};
use lago::utils::HostCommand;
use lago_system_tests::{Place, in_guest, lago, run};
use serde_json::{Value, json};

use crate::refused;

pub(crate) fn is_told_from_this_one(place: &Place, file: &Path) {
    let unpacked = unpack(place, file);
    let directory = place.join("rewritten");
    let changed = |change: &dyn Fn(&mut Value)| rewrite(place, &unpacked, change);

    let other = changed(&|manifest| {
        manifest["machine"]["machine_types"]["vm0"] = json!("pc-q35-99.0");
        manifest["machine"]["qemu"] = json!("QEMU emulator version 99.0.0");
    });
    let error = refused(&other, &directory);
    for part in ["pc-q35-99.0", "QEMU emulator version 99.0.0", "--no-memory"] {
        assert!(error.contains(part), "{part:?} is not in: {error}");
    }
    if probe().acceleration == Acceleration::Tcg {
        let other = changed(&|manifest| manifest["record"]["acceleration"] = json!("kvm"));
        let error = refused(&other, &directory);
        assert!(error.contains("its guests ran under KVM, which does not work here"), "{error}");
    }
    let newer = changed(&|manifest| {
        manifest["format"] = json!(99);
        manifest["lago"] = json!("7.0.0");
    });
    assert!(refused(&newer, &directory).contains("saved by lago 7.0.0"));
    another_version_is_said_and_tried(
        &changed(&|manifest| {
            manifest["machine"]["qemu"] = json!("QEMU emulator version 6.2.0");
        }),
        &directory,
    );
    is_refused_with_a_device_of_the_host(place, &unpacked, &directory);
    is_not_restored_when_the_memory_does_not_fit(place, &unpacked, &directory);
    fs::remove_dir_all(unpacked).unwrap();
}

fn another_version_is_said_and_tried(file: &Path, directory: &Path) {
    let mut command = lago(["capsule", "open", "--run"]);
    let ran = run(command.arg(file).arg(directory));
    let said = ran.stderr.clone();
    ran.ok();
    assert!(said.contains("may not fit here: saved by QEMU emulator version 6.2.0"), "{said}");
    let opened = lago_system_tests::Environment::from(lago::Prefix::open(directory).unwrap());
    assert_eq!(in_guest(&opened, "vm0", "cat /dev/shm/mark"), "memory\n");
}

fn is_refused_with_a_device_of_the_host(place: &Place, unpacked: &Path, directory: &Path) {
    let description = unpacked.join("snapshots/capsule/vm0.xml");
    let text = fs::read_to_string(&description).unwrap();
    let harmful = "<filesystem type='mount'><source dir='/'/><target dir='x'/></filesystem>";
    let changed = text.replace("</devices>", &format!("{harmful}</devices>"));
    fs::write(&description, &changed).unwrap();
    let file = rewrite(place, unpacked, &|manifest| set_size(manifest, ".xml", changed.len()));
    let error = refused(&file, directory);
    assert!(error.contains("is refused: of VM vm0, it has the device `filesystem`"), "{error}");
    fs::write(&description, text).unwrap();
}

/// Memory of another size than what the domain has.
fn is_not_restored_when_the_memory_does_not_fit(place: &Place, unpacked: &Path, directory: &Path) {
    let description = unpacked.join("snapshots/capsule/vm0.xml");
    let text = fs::read_to_string(&description).unwrap();
    let changed = text.replace("131072", "262144");
    assert_ne!(text, changed);
    fs::write(&description, &changed).unwrap();
    let file = rewrite(place, unpacked, &|manifest| {
        set_size(manifest, ".xml", changed.len());
        manifest["machine"]["qemu"] = json!("QEMU emulator version 6.2.0");
    });
    let error = refused(&file, directory);
    assert!(error.contains("could not be brought back to its moment"), "{error}");
    assert!(error.contains("saved by QEMU emulator version 6.2.0"), "{error}");
    fs::write(&description, text).unwrap();
}

fn set_size(manifest: &mut Value, end: &str, size: usize) {
    let files = manifest["files"].as_array_mut().expect("it has files");
    let is_meant =
        |file: &&mut Value| file["path"].as_str().is_some_and(|path| path.ends_with(end));
    files.iter_mut().find(is_meant).expect("it is one of them")["size"] = json!(size);
}

/// The members of a capsule as files, by the usual programs.
fn unpack(place: &Place, file: &Path) -> PathBuf {
    let directory = place.join("unpacked");
    fs::create_dir(&directory).unwrap();
    HostCommand::new("tar")
        .args(["--use-compress-program=zstd --long=28", "-xf"])
        .arg(file)
        .current_dir(&directory)
        .run()
        .unwrap();
    directory
}

/// A capsule of these files, with a manifest that was changed.
fn rewrite(place: &Place, unpacked: &Path, change: &dyn Fn(&mut Value)) -> PathBuf {
    let file = place.join("rewritten.lago-capsule");
    let text = fs::read(unpacked.join("manifest.json")).unwrap();
    let mut manifest: Value = serde_json::from_slice(&text).unwrap();
    change(&mut manifest);
    let staged = place.join("staged");
    fs::create_dir(&staged).unwrap();
    fs::write(staged.join("manifest.json"), manifest.to_string()).unwrap();
    let script = r#"
        set -e
        mv sha256sums ..; mv manifest.json ..; cp "$1/manifest.json" .
        sha256sum manifest.json $(cut -c67- ../sha256sums | tail -n +2) > sha256sums
        tar -cf - $(cut -c67- sha256sums) sha256sums | zstd -q -1 -c > "$2"
        rm sha256sums manifest.json; mv ../sha256sums ../manifest.json .
    "#;
    HostCommand::new("sh")
        .args(["-c", script, "sh"])
        .args([&staged, &file])
        .current_dir(unpacked)
        .run()
        .unwrap();
    fs::remove_dir_all(staged).unwrap();
    file
}
