use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use indexmap::IndexMap;

use super::*;
use crate::spec::DiskFormat;

/// A snapshot of one running VM with one disk.
pub(crate) fn snapshot(name: &str) -> Snapshot {
    let disk = DiskImage {
        path: "images/server-root.qcow2".into(),
        format: DiskFormat::Qcow2,
        dev: "vda".into(),
        read_only: false,
    };
    let vm = VmSnapshot {
        state: VmState::Running,
        memory: Some(format!("snapshots/{name}/server.memory.zst").into()),
        disks: vec![disk],
        nvram: Some("snapshots/deployed/server.nvram".into()),
        nics: Vec::new(),
    };
    Snapshot {
        name: name.to_owned(),
        parent: None,
        created: UNIX_EPOCH + Duration::from_secs(1_700_000_000),
        kind: SnapshotKind::Memory,
        vms: IndexMap::from([("server".to_owned(), vm)]),
        outside: Vec::new(),
        pause: Duration::from_millis(600),
        took: Duration::from_millis(900),
        mappings: Vec::new(),
        layer: None,
    }
}

#[test]
fn a_fork_finds_what_it_stands_on_from_anywhere() {
    let taken = Snapshot { parent: Some("before".into()), layer: Some(3), ..snapshot("deployed") };
    let seen = taken.seen_from_elsewhere(Path::new("/p"));
    let vm = &seen.vms["server"];
    assert_eq!(vm.disks[0].path, Path::new("/p/images/server-root.qcow2"));
    assert_eq!(vm.memory.as_deref(), Some(Path::new("/p/snapshots/deployed/server.memory.zst")));
    assert_eq!(vm.nvram.as_deref(), Some(Path::new("/p/snapshots/deployed/server.nvram")));
    assert_eq!((seen.parent, seen.layer), (None, None));
}
