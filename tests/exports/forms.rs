//! Layered, standalone, compressed, of VMs that run: what was written before is there in what is made of it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use lago::InitFile;
use lago::export::ExportOptions;
use lago_system_tests::{Environment, Place, in_guest, wait_until};

use crate::{export, files};

const INIT_FILE: &str = "
domains:
  vm0:
    memory: 128
    vcpu: 1
    nics: [{net: lan}]
    disks:
      - {name: root, type: template, template_name: mini, metadata: {role: system}}
      - {name: data, type: empty, size: 16M, format: raw}
      - {name: scratch, type: empty, size: 16M, skip-export: true}
  other:
    memory: 128
    nics: [{net: lan}]
    disks: [{type: template, template_name: mini}]
    skip-export: true
nets:
  lan: {type: nat, gw: 192.168.91.1, management: true}
";

const FILES: [&str; 7] = [
    "LagoInitFile",
    "vm0_data.raw",
    "vm0_data.raw.hash",
    "vm0_data.raw.metadata",
    "vm0_root.qcow2",
    "vm0_root.qcow2.hash",
    "vm0_root.qcow2.metadata",
];

#[test]
fn an_export_has_what_was_written_before() {
    let place = Place::new("exports-forms");
    let prefix = Environment::from_text(&place.join("prefix"), INIT_FILE);
    prefix.start_vms(&["vm0".to_owned()], lago::prefix::START_LIMIT).unwrap();
    // Some of it is below a snapshot, some above.
    in_guest(&prefix, "vm0", "echo first > /root/first; echo raw > /dev/vdb; sync");
    prefix.snapshot("between").unwrap();
    in_guest(&prefix, "vm0", "echo second > /root/second; sync");
    let said = export(&prefix, &["--dst", &at(&place, "running")]).failed(1);
    assert!(said.contains("vm0 must be down"), "{said}");
    assert!(!place.join("running").exists());
    live(&place, &prefix);

    in_guest(&prefix, "vm0", "echo third > /root/third; sync");
    prefix.stop().unwrap();
    layered(&place, &prefix);
    compressed(&place, &prefix);
    standalone(&place, prefix);
}

/// At the instant of the export, and the VM runs on.
fn live(place: &Place, prefix: &Environment) {
    // The guest's agent starts after its ssh server.
    wait_until("the agent", || prefix.vm("vm0").unwrap().agent().ping().is_ok());
    let options = ExportOptions { live: true, ..ExportOptions::new(place.join("live")) };
    prefix.export(&options).unwrap();
    assert_eq!(files(&place.join("live")), FILES);
    assert_eq!(in_guest(prefix, "vm0", "cat /root/second"), "second\n");
}

fn layered(place: &Place, prefix: &Environment) {
    let directory = place.join("layered");
    export(prefix, &["-d", &at(place, "layered"), "-n", "vm0"]).ok();
    assert_eq!(files(&directory), FILES);
    // QEMU may be another user where the export is brought up.
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&directory), mode(&directory.join("vm0_root.qcow2"))), (0o711, 0o600));
    // What differs from the template is small.
    let size = fs::metadata(directory.join("vm0_root.qcow2")).unwrap().len();
    assert!(size < 16 << 20, "{size}");
    let file = fs::read_to_string(directory.join("LagoInitFile")).unwrap();
    assert!(file.contains("template_name: mini") && file.contains("template_digest"), "{file}");

    // Lago's own files name only the image, which names the template itself.
    let plain = directory.join("LagoInitFile.json");
    fs::write(&plain, INIT_FILE_OF_LAGO).unwrap();
    for name in ["LagoInitFile", "LagoInitFile.json"] {
        let opened = init(place, &directory.join(name));
        opened.start().unwrap();
        has_all(&opened);
    }
}

/// As Lago wrote it.
const INIT_FILE_OF_LAGO: &str = r#"{
  "domains": {"vm0": {"memory": 128, "nics": [{"net": "lan"}], "disks": [
    {"type": "template", "template_type": "qcow2", "path": "$LAGO_INITFILE_PATH/vm0_root.qcow2", "name": "root",
     "dev": "vda", "format": "qcow2"},
    {"type": "file", "path": "$LAGO_INITFILE_PATH/vm0_data.raw", "name": "data", "dev": "vdb", "format": "raw"}]}},
  "nets": {"lan": {"type": "nat", "management": true}}}"#;

fn compressed(place: &Place, prefix: &Environment) {
    let directory = place.join("compressed");
    export(prefix, &["--compress", "--without-threads", "--dst-dir", &at(place, "compressed")])
        .ok();
    let names = files(&directory);
    assert!(names.contains(&"vm0_root.qcow2.xz".to_owned()), "{names:?}");
    assert!(
        names.len() == FILES.len() && !names.contains(&"vm0_root.qcow2".to_owned()),
        "{names:?}"
    );
    // It unpacks to what the digest beside it is of.
    let opened = init(place, &directory.join("LagoInitFile"));
    drop(opened);
    fs::write(directory.join("vm0_root.qcow2.hash"), "ab".repeat(32)).unwrap();
    let file = InitFile::load(&directory.join("LagoInitFile")).unwrap();
    let error = Environment::of(&place.join("damaged"), file).unwrap_err();
    assert!(lago::utils::error_chain(&error).contains("instead of"), "{error}");
}

fn standalone(place: &Place, prefix: Environment) {
    let directory = place.join("standalone");
    let listed = export(&prefix, &["--collect-only"]).ok();
    assert!(
        listed.contains("vm0") && !listed.contains("seed") && !listed.contains("other"),
        "{listed}"
    );
    let json = [
        "--standalone",
        "--dst-dir",
        &at(place, "standalone"),
        "--init-file-name",
        "env",
        "-f",
        "json",
    ];
    export(&prefix, &json).ok();
    replaced_by_the_next(place, &prefix, &json);
    let text = fs::read_to_string(directory.join("env")).unwrap();
    assert!(text.starts_with('{') && !text.contains("template_name"), "{text}");
    drop(prefix);
    let opened = init(place, &directory.join("env"));
    opened.start().unwrap();
    has_all(&opened);
}

/// Each file by a new one, of the directory nothing else, and what stands on one keeps it.
fn replaced_by_the_next(place: &Place, prefix: &Environment, options: &[&str]) {
    let directory = place.join("standalone");
    let opened = init(place, &directory.join("env"));
    fs::write(directory.join("theirs"), "kept").unwrap();
    let image = directory.join("vm0_root.qcow2");
    let before = fs::read(&image).unwrap();
    fs::write(directory.join("vm0_data.raw"), "damaged").unwrap();
    in_place_of(&directory.join("vm0_root.qcow2.hash"));
    let refused = export(prefix, options).failed(1);
    assert!(refused.contains("vm0_root.qcow2.hash is a directory"), "{refused}");
    assert_eq!(fs::read(directory.join("vm0_data.raw")).unwrap(), b"damaged");

    fs::remove_dir(directory.join("vm0_root.qcow2.hash")).unwrap();
    export(prefix, options).ok();
    assert!(fs::read(directory.join("vm0_data.raw")).unwrap().starts_with(b"raw\n"));
    assert_eq!(fs::read(directory.join("theirs")).unwrap(), b"kept");
    fs::remove_file(directory.join("theirs")).unwrap();
    let names: Vec<_> = FILES.iter().map(|name| name.replace("LagoInitFile", "env")).collect();
    let mut found = files(&directory);
    found.sort_by_key(|name| name != "env");
    assert_eq!(found, names);
    let held = opened.paths().images().join("vm0_root.base");
    assert_eq!(fs::read(&held).unwrap(), before);
    // By its name alone, so that a copy of both, as the cache has one, does not stand on this prefix.
    let overlay = held.with_extension("qcow2");
    let info = Command::new("qemu-img").args(["info", "-U", "--output=json"]).arg(overlay).output();
    let info = String::from_utf8(info.unwrap().stdout).unwrap();
    assert!(info.contains("\"backing-filename\": \"vm0_root.base\""), "{info}");
}

/// A directory where a file was.
fn in_place_of(path: &Path) {
    fs::remove_file(path).unwrap();
    fs::create_dir(path).unwrap();
}

fn at(place: &Place, name: &str) -> String {
    place.join(name).to_string_lossy().into_owned()
}

/// An environment of an exported init file.
fn init(place: &Place, init_file: &Path) -> Environment {
    Environment::of(&place.join("opened"), InitFile::load(init_file).unwrap()).unwrap()
}

fn has_all(prefix: &Environment) {
    let script = "cat /root/first /root/second /root/third; head -n 1 /dev/vdb; ls /dev/vd?";
    let found = in_guest(prefix, "vm0", script);
    // The third is the seed; the disk that was skipped is not there.
    assert_eq!(found, "first\nsecond\nthird\nraw\n/dev/vda\n/dev/vdb\n/dev/vdc\n");
}
