use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tar::{EntryType, Header};

use super::*;
use crate::Error;
use crate::capsule::CapsuleError;
use crate::capsule::manifest::tests::manifest;
use crate::capsule::manifest::{FileEntry, MANIFEST, Manifest, SUMS, Segment};

/// The files of the capsules here.
const FILES: [(&str, &[u8]); 3] = [
    ("images/server-vda.0.qcow2", b"a disk, of which only this much is no hole"),
    ("logs/console/server.log", b"[    0.0] Linux\n"),
    ("ssh/id_ed25519", b"a key"),
];

/// A capsule with a file that has a hole.
fn described() -> Manifest {
    let mut manifest = manifest();
    manifest.files = FILES
        .iter()
        .map(|(path, data)| FileEntry { path: path.into(), size: data.len() as u64, data: None })
        .collect();
    let length = FILES[0].1.len() as u64;
    manifest.files[0].size = 1 << 20;
    manifest.files[0].data = Some(vec![Segment(4096, length)]);
    manifest
}

fn written(path: &Path) -> PathBuf {
    let manifest = described();
    let mut writer = Writer::new(fs::File::create(path).unwrap(), 1 << 20, 7).unwrap();
    let text = serde_json::to_vec(&manifest).unwrap();
    writer.add(MANIFEST, text.len() as u64, &*text).unwrap();
    for (name, data) in FILES {
        writer.add(name, data.len() as u64, data).unwrap();
    }
    writer.finish().unwrap();
    path.to_owned()
}

/// What comes of the files of a capsule when all of it is read.
fn contents(path: &Path) -> crate::Result<Vec<(PathBuf, Vec<u8>)>> {
    read(path, |manifest, mut members| {
        let mut contents = Vec::new();
        for file in &manifest.files {
            let mut member = members.begin(file)?;
            let mut content = Vec::new();
            let mut buffer = [0; 7];
            loop {
                match member.read(&mut buffer)? {
                    [] => break,
                    bytes => content.extend_from_slice(bytes),
                }
            }
            member.finish();
            contents.push((file.path.clone(), content));
        }
        members.finish()?;
        Ok(contents)
    })
}

#[test]
fn a_capsule_comes_back_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let read = contents(&written(&dir.path().join("x"))).unwrap();
    assert_eq!(read, FILES.map(|(path, data)| (PathBuf::from(path), data.to_vec())));
}

#[test]
fn the_usual_programs_read_it_as_well() {
    let dir = tempfile::tempdir().unwrap();
    written(&dir.path().join("x"));
    let script =
        "tar --use-compress-program='zstd --long=28' -xf x && sha256sum --check sha256sums";
    let ran =
        crate::utils::HostCommand::new("sh").args(["-c", script]).current_dir(dir.path()).run();
    let said = ran.unwrap().stdout_text();
    assert_eq!(said.lines().filter(|line| line.ends_with(": OK")).count(), 4, "{said}");
}

#[test]
fn long_names_travel() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    let name = format!("scenarios/{}.log", "long".repeat(60));
    let mut manifest = manifest();
    manifest.files.push(FileEntry { path: name.clone().into(), size: 3, data: None });
    let mut writer = Writer::new(fs::File::create(&path).unwrap(), 0, 0).unwrap();
    let text = serde_json::to_vec(&manifest).unwrap();
    writer.add(MANIFEST, text.len() as u64, &*text).unwrap();
    for file in &manifest.files {
        writer.add(&file.path.to_string_lossy(), file.size, std::io::repeat(b'x')).unwrap();
    }
    writer.finish().unwrap();
    assert_eq!(contents(&path).unwrap().last().unwrap(), &(name.into(), b"xxx".to_vec()));
}

#[test]
fn data_that_end_too_early_are_no_member() {
    let mut writer = Writer::new(Vec::new(), 0, 0).unwrap();
    let error = writer.add("logs/x", 10, &b"short"[..]).unwrap_err().to_string();
    assert_eq!(error, "it ended 5 bytes too early");
}

#[test]
fn what_is_no_capsule_is_told_from_a_damaged_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    let error = contents(&path).unwrap_err().to_string();
    assert!(error.contains("cannot open") && error.contains("No such file"), "{error}");
    for content in [&b""[..], b"PK\x03\x04", b"QFI\xfb"] {
        fs::write(&path, content).unwrap();
        let error = contents(&path).unwrap_err();
        assert!(matches!(error, Error::Capsule(CapsuleError::NotACapsule { .. })), "{error}");
    }
    // An archive of something else.
    let error = contents(&archive(&path, &[regular("README", b"read me")])).unwrap_err();
    assert!(error.to_string().ends_with("it does not begin with manifest.json"), "{error}");
}

#[test]
fn a_capsule_of_a_newer_lago_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let text = br#"{"format": 99, "lago": "7.0.0", "unheard": true}"#;
    let path = archive(&dir.path().join("x"), &[regular(MANIFEST, text)]);
    let error = contents(&path).unwrap_err();
    assert!(matches!(&error, Error::Capsule(CapsuleError::TooNew { lago, .. }) if lago == "7.0.0"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_capsule_that_was_cut_is_never_whole(part in 0.0..1.0_f64) {
        let dir = tempfile::tempdir().unwrap();
        let path = written(&dir.path().join("x"));
        let whole = fs::read(&path).unwrap();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss,
            reason = "a place in a small file")]
        let kept = (whole.len() as f64 * part) as usize;
        fs::write(&path, &whole[..kept]).unwrap();
        prop_assert!(contents(&path).is_err());
    }

    #[test]
    fn a_capsule_of_which_a_bit_has_changed_is_never_whole(at in any::<prop::sample::Index>(), bit in 0..8_u32) {
        let dir = tempfile::tempdir().unwrap();
        let path = written(&dir.path().join("x"));
        let before = contents(&path).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        fs::write(&path, &bytes).unwrap();
        // A bit of a header that says nothing about the content may change.
        if let Ok(after) = contents(&path) {
            prop_assert_eq!(after, before);
        }
    }
}

/// A member as somebody may write it.
struct Written {
    header: Header,
    data: Vec<u8>,
}

fn member(name: &str, kind: EntryType, data: &[u8]) -> Written {
    let mut header = Header::new_gnu();
    // As it is, with whatever leads out.
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(data.len() as u64);
    header.set_mode(0o4777);
    header.set_mtime(0);
    header.set_cksum();
    Written { header, data: data.to_vec() }
}

fn regular(name: &str, data: &[u8]) -> Written {
    member(name, EntryType::Regular, data)
}

/// An archive of just these members.
fn archive(path: &Path, members: &[Written]) -> PathBuf {
    let mut tar = tar::Builder::new(zstd::Encoder::new(Vec::new(), 1).unwrap());
    for member in members {
        tar.append(&member.header, &*member.data).unwrap();
    }
    fs::write(path, tar.into_inner().unwrap().finish().unwrap()).unwrap();
    path.to_owned()
}

/// The members of a capsule that is as it should be, but for sums.
fn members() -> Vec<Written> {
    let manifest = serde_json::to_vec(&described()).unwrap();
    let files = FILES.iter().map(|(name, data)| regular(name, data));
    std::iter::once(regular(MANIFEST, &manifest)).chain(files).collect()
}

#[track_caller]
fn assert_refused(members: &[Written]) {
    let dir = tempfile::tempdir().unwrap();
    let error = contents(&archive(&dir.path().join("x"), members)).unwrap_err();
    assert!(matches!(error, Error::Capsule(CapsuleError::Refused { .. })), "{error}");
}

#[test]
fn only_the_files_that_were_announced_are_taken() {
    let kinds = [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
        EntryType::Directory,
        EntryType::GNUSparse,
        EntryType::GNULongLink,
        EntryType::XHeader,
        EntryType::XGlobalHeader,
    ];
    for kind in kinds {
        let mut members = members();
        members[1] = member(FILES[0].0, kind, FILES[0].1);
        assert_refused(&members);
    }
    for name in ["/etc/passwd", "../../etc/passwd", "images/../../x", "./images/server-vda.0.qcow2"]
    {
        let mut members = members();
        members[1] = regular(name, FILES[0].1);
        assert_refused(&members);
    }
    let mut swapped = members();
    swapped.swap(1, 2);
    assert_refused(&swapped);
    let mut twice = members();
    twice.insert(2, regular(FILES[0].0, FILES[0].1));
    assert_refused(&twice);
    let mut longer = members();
    longer[1] = regular(FILES[0].0, &vec![0; 1 << 20]);
    assert_refused(&longer);
    let mut more = members();
    more.push(regular("logs/more", b"more"));
    assert_refused(&more);
    let mut long = members();
    long.insert(1, member("././@LongLink", EntryType::GNULongName, &vec![b'x'; 1 << 20]));
    assert_refused(&long);
}

#[test]
fn what_follows_the_sums_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(&dir.path().join("x"));
    let mut second = fs::OpenOptions::new().append(true).open(&path).unwrap();
    second.write_all(&zstd::encode_all(&b"another frame"[..], 1).unwrap()).unwrap();
    let error = contents(&path).unwrap_err();
    assert!(matches!(error, Error::Capsule(CapsuleError::Refused { .. })), "{error}");
}

#[test]
fn wrong_sums_are_damage() {
    let dir = tempfile::tempdir().unwrap();
    let mut members = members();
    members.push(regular(SUMS, b"00  manifest.json\n"));
    let error = contents(&archive(&dir.path().join("x"), &members)).unwrap_err();
    assert!(matches!(error, Error::Capsule(CapsuleError::Damaged { .. })), "{error}");
    members.pop();
    let error = contents(&archive(&dir.path().join("x"), &members)).unwrap_err();
    assert!(error.to_string().contains("ends before all of it has come"), "{error}");
}
