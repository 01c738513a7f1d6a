//! Init files as users write them: what is said about wrong ones, and what right ones mean.
//!
//! Each file in `bad-init-files` and `good-init-files` is a test, with what is expected of it beside it. A new file is
//! a new test: `cargo insta review` shows what its expectation would be.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use lago::spec::{InitFile, PlanInput, SpecError, plan};
use uuid::Uuid;

const ID: Uuid = Uuid::from_u128(0x1a60_0000_0000_4000_8000_0000_0000_0001);

/// What the fixtures believe to be their directory.
const DIRECTORY: &str = "/suite";

#[test]
fn mistakes_are_explained() {
    let files = fixtures("bad-init-files");
    assert!(files.len() >= 25, "only {} malformed init files", files.len());
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let error = InitFile::parse(&fs::read_to_string(&file).unwrap(), Path::new(name))
            .expect_err(&format!("{name} was accepted"));
        pin("bad-init-files", name, &error.to_string());
    }
}

#[test]
fn right_files_are_understood() {
    for file in fixtures("good-init-files") {
        let name = file.file_name().unwrap().to_str().unwrap();
        let init_file = good(name);
        let planned = plan(&init_file, &PlanInput::new(ID))
            .unwrap_or_else(|error| panic!("{name} has no plan: {error}"));
        pin("good-init-files", name, &serde_json::to_string_pretty(&init_file).unwrap());
        pin(
            "good-init-files",
            &format!("{name}.plan"),
            &serde_json::to_string_pretty(&planned).unwrap(),
        );
    }
}

#[test]
fn yaml_and_json_mean_the_same() {
    assert_eq!(good("every-field.yaml"), good("every-field.json"));
}

#[test]
fn what_was_read_survives_being_stored() {
    let init_file = good("every-field.yaml");
    let stored = serde_json::to_string(&init_file).unwrap();
    assert_eq!(serde_json::from_str::<InitFile>(&stored).unwrap(), init_file);
}

#[test]
fn a_file_that_does_not_exist_is_named() {
    let error = InitFile::load(Path::new("/nowhere/LagoInitFile")).unwrap_err();
    assert!(matches!(error, SpecError::Read { .. }));
    assert!(
        error.to_string().starts_with("cannot read the init file /nowhere/LagoInitFile; name one"),
        "{error}"
    );
}

#[test]
fn loading_makes_paths_absolute_and_keeps_the_name_in_messages() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("LagoInitFile");
    fs::write(&path, "domains: {web: {disks: [{type: file, path: data.img}]}}").unwrap();
    let init_file = InitFile::load(&path).unwrap();
    let stored = serde_json::to_value(&init_file.domains["web"].disks[0].kind).unwrap();
    let expected = directory.path().join("data.img");
    assert_eq!(stored["file"]["source"]["path"], expected.to_str().unwrap());
}

#[test]
fn a_file_that_is_stored_and_read_again_can_be_planned() {
    let init_file = good("lago-1.0.2.yaml");
    let stored = serde_json::to_string(&init_file).unwrap();
    let again: InitFile = serde_json::from_str(&stored).unwrap();
    let input = PlanInput::new(ID);
    assert_eq!(plan(&again, &input).unwrap(), plan(&init_file, &input).unwrap());
    let taken = ["192.168.200.0/24".parse().unwrap()];
    let error = plan(&again, &PlanInput { taken: &taken, ..PlanInput::new(ID) }).unwrap_err();
    assert!(
        error.to_string().starts_with("the net \"suite-management\" needs 192.168.200.0/24"),
        "{error}"
    );
}

#[test]
fn each_machine_is_reached_through_the_management_net() {
    let planned = plan(&good("every-field.yaml"), &PlanInput::new(ID)).unwrap();
    let engine = planned.vm("engine").unwrap();
    assert_eq!(engine.management_ip(), Some(Ipv4Addr::new(192, 168, 210, 20)));
    assert_eq!(planned.hosts()["engine"], Ipv4Addr::new(192, 168, 210, 20));
    assert_eq!(planned.hosts()["engine-storage"], engine.nics[1].ip);
}

fn good(name: &str) -> InitFile {
    let path = fixtures_directory("good-init-files").join(name);
    let text = fs::read_to_string(path).unwrap();
    InitFile::parse(&text, &Path::new(DIRECTORY).join(name))
        .unwrap_or_else(|error| panic!("{name} was refused:\n{error}"))
}

fn pin(directory: &str, name: &str, content: &str) {
    insta::with_settings!({
        snapshot_path => directory,
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!(name, content);
    });
}

/// The init files of a directory below this one, in the order of their names.
fn fixtures(directory: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(fixtures_directory(directory)).unwrap();
    let is_init_file =
        |path: &PathBuf| path.extension().is_some_and(|ext| ext == "yaml" || ext == "json");
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.unwrap().path()).filter(is_init_file).collect();
    files.sort();
    files
}

fn fixtures_directory(directory: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(directory)
}
