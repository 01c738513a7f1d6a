use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

use super::*;
use crate::spec::InitFile;
use crate::utils::error_chain;
use crate::{Prefix, Result};

fn init(path: &Path, domain: &str, disk: &str) -> Result<Prefix> {
    let text = format!(
        "domains:\n  vm:\n    nics: [{{net: lan}}]\n{domain}    disks:\n      - {disk}\nnets: {{lan: {{management: true}}}}\n"
    );
    let init_file = InitFile::parse(&text, Path::new("LagoInitFile.yaml")).unwrap();
    Prefix::init(&InitOptions::new(path, init_file).store(path.with_file_name("store")))
}

fn message(result: Result<Prefix>) -> String {
    error_chain(&result.unwrap_err())
}

#[test]
fn the_seed_comes_after_the_last_disk_also_beyond_z() {
    let seed_after = |devs: &[&str]| {
        let image = |dev: &&str| DiskImage {
            path: PathBuf::new(),
            format: DiskFormat::Raw,
            dev: (*dev).to_owned(),
            read_only: false,
        };
        let disks: Vec<DiskImage> = devs.iter().map(image).collect();
        seed_image(&Paths::new("/p"), "vm", &disks).dev
    };
    assert_eq!(seed_after(&[]), "vda");
    assert_eq!(seed_after(&["sda", "hdb"]), "vda");
    assert_eq!(seed_after(&["vdc", "vda"]), "vdd");
    assert_eq!(seed_after(&["vdz"]), "vdaa");
    assert_eq!(seed_after(&["vdaa", "vdb"]), "vdab");
    assert_eq!(seed_after(&["vdaz"]), "vdba");
    assert_eq!(seed_after(&["vdzz"]), "vdaaa");
}

#[test]
fn a_copy_keeps_the_holes_and_is_private() {
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("image");
    let file = File::create(&image).unwrap();
    file.set_len(1 << 30).unwrap();
    file.write_at(b"end", (1 << 30) - 3).unwrap();
    let disk = format!("{{type: file, path: {}, format: raw, make_a_copy: true}}", image.display());
    let prefix = init(&dir.path().join("p"), "", &disk).unwrap();
    let copy = prefix.paths().prefix().join(&prefix.record().disks["vm"][0].path);
    let metadata = copy.metadata().unwrap();
    assert_eq!((metadata.len(), metadata.mode() & 0o777), (1 << 30, 0o600));
    assert!(metadata.blocks() < 1 << 12, "{} blocks of 512 bytes", metadata.blocks());
    let mut end = [0; 3];
    File::open(&copy).unwrap().read_exact_at(&mut end, (1 << 30) - 3).unwrap();
    assert_eq!(&end, b"end");
}

#[test]
fn without_bootstrap_a_guest_gets_no_seed() {
    let dir = tempfile::tempdir().unwrap();
    let disk = "{type: empty, size: 1M}";
    let prefix = init(&dir.path().join("p"), "    bootstrap: false\n", disk).unwrap();
    assert_eq!(prefix.record().disks["vm"].len(), 1);
    assert!(!prefix.paths().seed("vm").exists());
}

#[test]
fn a_path_that_is_no_text_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(OsStr::from_bytes(b"p\xff"));
    let text = message(init(&path, "", "{type: empty, size: 1M}"));
    assert!(text.contains("UTF-8"), "{text}");
    assert!(!path.exists());
    let linked = dir.path().join(OsStr::from_bytes(b"image\xff"));
    std::fs::write(&linked, "").unwrap();
    std::os::unix::fs::symlink(&linked, dir.path().join("image")).unwrap();
    let disk = format!("{{type: file, path: {}/image, format: raw}}", dir.path().display());
    let text = message(init(&dir.path().join("p"), "", &disk));
    assert!(text.contains("UTF-8"), "{text}");
}
