use std::time::{Duration, UNIX_EPOCH};

use indexmap::IndexMap;
use uuid::Uuid;

use super::*;
use crate::host::Acceleration;
use crate::prefix::HostKind;
use crate::snapshot::VmSnapshot;
use crate::spec::{DiskFormat, InitFile, PlanInput, plan};
use crate::virt::VmState;

const INIT_FILE: &str = "
domains:
  server: {memory: 128, nics: [{net: lan}], disks: []}
nets: {lan: {management: true}}
";

/// That of a VM that is down, with one disk on a template.
pub(in crate::capsule) fn manifest() -> Manifest {
    let init_file = InitFile::parse(INIT_FILE, Path::new("LagoInitFile.yaml")).unwrap();
    let id = Uuid::from_u128(7);
    let plan = plan(&init_file, &PlanInput::new(id)).unwrap();
    let image = PathBuf::from("images/server-vda.0.qcow2");
    let disk = DiskImage {
        path: image.clone(),
        format: DiskFormat::Qcow2,
        dev: "vda".into(),
        read_only: false,
    };
    let disks = IndexMap::from([("server".to_owned(), vec![disk.clone()])]);
    let digest: Digest = "ab".repeat(32).parse().unwrap();
    Manifest {
        format: CAPSULE_FORMAT,
        lago: "0.1.0".into(),
        reason: None,
        machine: Machine {
            arch: "x86_64".into(),
            qemu: "QEMU emulator version 7.2.22".into(),
            libvirt: "libvirtd (libvirt) 9.0.0".into(),
            processor: String::new(),
            machine_types: BTreeMap::new(),
        },
        snapshot: Snapshot {
            name: "capsule".into(),
            parent: None,
            created: UNIX_EPOCH + Duration::from_secs(1_700_000_000),
            kind: SnapshotKind::Stopped,
            vms: IndexMap::from([(
                "server".to_owned(),
                VmSnapshot {
                    state: VmState::Down,
                    memory: None,
                    disks: vec![disk],
                    nvram: None,
                    nics: Vec::new(),
                },
            )]),
            outside: Vec::new(),
            pause: Duration::ZERO,
            took: Duration::ZERO,
            mappings: Vec::new(),
            layer: None,
        },
        record: Record::new(id, HostKind::Private, Acceleration::Tcg, init_file, plan, disks),
        templates: vec![TemplateUse {
            name: "office:debian:v1".into(),
            digest: digest.clone(),
            format: ImageFormat::Qcow2,
            file: None,
        }],
        images: vec![Image {
            path: image.clone(),
            format: ImageFormat::Qcow2,
            below: Some(Below::Template(digest)),
        }],
        files: vec![FileEntry { path: image, size: 4096, data: None }],
    }
}

#[test]
fn a_manifest_that_fits_together_is_taken() {
    manifest().check().unwrap();
    let mut running = manifest();
    running.snapshot.kind = SnapshotKind::Memory;
    running.snapshot.vms[0].state = VmState::Running;
    running.snapshot.vms[0].memory = Some("snapshots/capsule/server.memory".into());
    let file = |path: &str| FileEntry { path: path.into(), size: 1, data: None };
    running.files.push(file("snapshots/capsule/server.memory"));
    running.check().unwrap_err();
    running.files.push(file("snapshots/capsule/server.xml"));
    running.check().unwrap();
}

#[test]
fn paths_stay_inside_and_leave_the_prefixs_own_files_alone() {
    for path in ["logs/console/server.log", "scenarios/a.b.log", "evidence/ä/1", "a"] {
        check_path(Path::new(path)).unwrap();
    }
    let long = format!("logs/{}", "x".repeat(LONGEST_PATH));
    for path in [
        "",
        "/etc/passwd",
        "..",
        "../x",
        "logs/../../x",
        "./logs/x",
        "logs//x",
        "logs/x/",
        "logs/a\nb",
        "prefix.json",
        "state.json",
        "lock",
        "uuid",
        "layers/1/server/vda.qcow2",
        "host/etc/qemu.conf",
        ".lago-unfinished",
        "manifest.json",
        "sha256sums",
        &long,
    ] {
        check_path(Path::new(path)).expect_err(path);
    }
}

/// A change that makes a manifest a wrong one.
type Change = (&'static str, fn(&mut Manifest));

#[test]
fn what_does_not_fit_together_is_refused() {
    let changes: [Change; 18] = [
        ("a path that leads out", |m| m.files[0].path = "../x".into()),
        ("a file twice", |m| m.files.push(m.files[0].clone())),
        ("a file below a file", |m| {
            let path = m.files[0].path.join("x");
            m.files.push(FileEntry { path, size: 1, data: None });
        }),
        ("data outside of the file", |m| m.files[0].data = Some(vec![Segment(4000, 100)])),
        ("data on each other", |m| {
            m.files[0].data = Some(vec![Segment(0, 100), Segment(50, 100)]);
        }),
        ("data beyond all numbers", |m| m.files[0].data = Some(vec![Segment(u64::MAX, 2)])),
        ("an image that is missing", |m| m.files.clear()),
        ("an image on itself", |m| {
            m.images[0].below = Some(Below::Image(m.images[0].path.clone()));
        }),
        ("an image on a template that is not listed", |m| m.templates.clear()),
        ("a raw image on something", |m| m.images[0].format = ImageFormat::Raw),
        ("an image that QEMU takes for a protocol", |m| {
            let path = Path::new("images").join("json:{\"driver\":\"raw\"}");
            m.images[0].path = path.clone();
            m.files[0].path = path.clone();
            m.record.disks[0][0].path = path.clone();
            m.snapshot.vms[0].disks[0].path = path;
        }),
        ("a user whose name is more than that", |m| {
            m.record.init_file.domains[0].ssh_user = "root\n  ProxyCommand true".into();
        }),
        ("a template's file that is missing", |m| m.templates[0].file = Some("x".into())),
        ("a VM that leads out", |m| m.record.plan.vms[0].name = "../server".into()),
        ("a VM that is not planned", |m| {
            m.record.plan.vms.clear();
        }),
        ("a VM without disks", |m| m.record.disks.clear()),
        ("a device that leads out", |m| {
            m.record.disks[0][0].dev = "../vda".into();
            m.snapshot.vms[0].disks[0].dev = "../vda".into();
        }),
        ("a disk that is a file of the host", |m| {
            m.record.disks[0][0].path = "/etc/shadow".into();
            m.snapshot.vms[0].disks[0].path = "/etc/shadow".into();
        }),
    ];
    for (what, change) in changes {
        let mut manifest = manifest();
        change(&mut manifest);
        manifest.check().expect_err(what);
    }
}
