use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::process::{Child, Command, Stdio};

use serde_json::json;

use super::*;
use crate::paths::Paths;
use crate::templates::TemplateRepository;
use crate::utils::{HostCommand, parallel};

/// A repository with one template, and an empty store.
struct Fixture {
    dir: tempfile::TempDir,
    store: TemplateStore,
    version: TemplateVersion,
}

impl Fixture {
    fn new(content: &[u8]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        write_repository(dir.path(), content);
        let store = TemplateStore::open(&dir.path().join("store")).unwrap();
        let version = version_in(dir.path());
        Self { dir, store, version }
    }

    /// A prefix, as far as the store looks at it.
    fn prefix(&self, name: &str) -> (Uuid, PathBuf) {
        let (uuid, path) = (Uuid::new_v4(), self.dir.path().join(name));
        create_dir(&path).unwrap();
        fs::write(Paths::new(&path).uuid(), format!("{uuid}\n")).unwrap();
        (uuid, path)
    }

    fn stored_content(&self) -> Vec<u8> {
        fs::read(self.store.get_path(&self.version).unwrap()).unwrap()
    }

    /// The names in the store, without the image's own and without locks.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.store.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names
            .map(|name| name.replace("office:disk:v1", ""))
            .filter(|name| name != ".lock" && !name.ends_with(".prefix"))
            .collect();
        names.sort();
        names
    }
}

fn write_repository(dir: &Path, content: &[u8]) {
    let manifest = json!({
        "name": "office",
        "sources": {"here": {"type": "file", "args": {"root": "images"}}},
        "templates": {"disk": {"versions": {"v1": {"source": "here", "handle": "disk", "timestamp": 1}}}},
    });
    fs::write(dir.join("repo.json"), manifest.to_string()).unwrap();
    create_dir(&dir.join("images")).unwrap();
    fs::write(dir.join("images/disk.metadata"), r#"{"distro": "debian"}"#).unwrap();
    publish(dir, content, "sha256sum");
}

fn publish(dir: &Path, content: &[u8], program: &str) {
    fs::write(dir.join("images/disk"), content).unwrap();
    let sum = HostCommand::new(program).arg("disk").current_dir(dir.join("images")).run().unwrap();
    fs::write(dir.join("images/disk.hash"), sum.stdout).unwrap();
}

fn version_in(dir: &Path) -> TemplateVersion {
    let repository = TemplateRepository::from_file(&dir.join("repo.json")).unwrap();
    repository.get_by_name("disk").unwrap().get_latest_version().clone()
}

#[test]
fn an_image_is_stored_with_all_that_is_known() {
    let at = Fixture::new(b"a disk");
    assert!(matches!(at.store.get_path(&at.version), Err(TemplateError::NotStored { .. })));
    let image = at.store.download(&at.version).unwrap();
    assert_eq!(fs::read(&image.path).unwrap(), b"a disk");
    assert_eq!(image.format, ImageFormat::Raw);
    assert_eq!(image.metadata["distro"], "debian");
    assert_eq!(image.digest, at.version.get_hash().unwrap());
    assert_eq!(at.store.get_stored_hash(&at.version).unwrap(), image.digest);
    assert_eq!(at.store.get_stored_metadata(&at.version).unwrap(), image.metadata);
    assert_eq!(at.files(), ["", ".hash", ".metadata", ".stored"]);
    for entry in fs::read_dir(at.store.path()).unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o7777, 0o600);
    }
}

#[test]
fn every_kind_of_digest_is_verified() {
    for program in ["sha1sum", "sha256sum", "sha512sum"] {
        let at = Fixture::new(b"");
        publish(at.dir.path(), b"a disk", program);
        at.store.download(&at.version).unwrap();
        fs::write(at.dir.path().join("images/disk"), b"another").unwrap();
        let other = TemplateStore::open(&at.dir.path().join("other")).unwrap();
        let error = other.download(&at.version).unwrap_err();
        assert!(matches!(error, TemplateError::Mismatch { .. }), "{program}: {error}");
    }
}

#[test]
fn a_tampered_image_is_refused_with_both_digests_and_leaves_nothing() {
    let at = Fixture::new(b"a disk");
    let promised = at.version.get_hash().unwrap();
    fs::write(at.dir.path().join("images/disk"), b"tampered").unwrap();
    let error = at.store.download(&at.version).unwrap_err().to_string();
    let sum = HostCommand::new("sha256sum").stdin("tampered").run().unwrap().stdout_text();
    let actual = sum.split_whitespace().next().unwrap();
    assert!(error.contains("`office:disk:v1`") && error.contains("SHA-256"), "{error}");
    assert!(error.contains(promised.as_hex()) && error.contains(actual), "{error}");
    assert!(at.files().is_empty(), "{:?}", at.files());
}

#[test]
fn a_stored_image_is_not_read_again() {
    let at = Fixture::new(b"a disk");
    at.store.download(&at.version).unwrap();
    fs::remove_file(at.dir.path().join("images/disk")).unwrap();
    at.store.download(&at.version).unwrap();
    fs::remove_dir_all(at.dir.path().join("images")).unwrap();
    let image = at.store.download(&at.version).unwrap();
    assert_eq!(image.metadata["distro"], "debian");
}

#[test]
fn a_damaged_image_is_noticed_and_fetched_again() {
    let at = Fixture::new(b"a disk");
    at.store.download(&at.version).unwrap();
    let path = at.store.get_path(&at.version).unwrap();
    for damage in ["tampered", "", "a disk"] {
        // Longer than the kernel's clock for files takes to tick.
        std::thread::sleep(Duration::from_millis(20));
        fs::write(&path, damage).unwrap();
        assert!(at.store.get_path(&at.version).is_err(), "{damage}");
        at.store.download(&at.version).unwrap();
        assert_eq!(at.stored_content(), b"a disk");
    }
    fs::write(path.with_file_name("office:disk:v1.stored"), "{").unwrap();
    at.store.download(&at.version).unwrap();
    assert_eq!(at.stored_content(), b"a disk");
}

#[test]
fn a_new_image_of_the_same_version_replaces_an_unused_one_only() {
    let at = Fixture::new(b"old");
    let (uuid, prefix) = at.prefix("p1");
    at.store.acquire(&at.version, uuid, &prefix).unwrap();
    assert_eq!(at.store.users(&at.version).unwrap(), std::slice::from_ref(&prefix));
    publish(at.dir.path(), b"new", "sha256sum");
    let error = at.store.download(&at.version).unwrap_err().to_string();
    assert!(error.contains(prefix.to_str().unwrap()) && error.contains("new version"), "{error}");
    assert_eq!(at.stored_content(), b"old");

    fs::remove_dir_all(&prefix).unwrap();
    let (other, elsewhere) = at.prefix("p2");
    at.store.acquire(&at.version, other, &elsewhere).unwrap();
    assert_eq!(at.stored_content(), b"new");
    assert_eq!(at.store.users(&at.version).unwrap(), [elsewhere]);
}

#[test]
fn only_a_stored_image_can_be_used() {
    let at = Fixture::new(b"a disk");
    let (uuid, prefix) = at.prefix("p");
    let error = at.store.mark_used(&at.version, uuid, &prefix).unwrap_err();
    assert!(matches!(error, TemplateError::NotStored { .. }), "{error}");
    at.store.download(&at.version).unwrap();
    at.store.mark_used(&at.version, uuid, &prefix).unwrap();
    assert_eq!(at.store.users(&at.version).unwrap(), [prefix]);
}

#[test]
fn an_image_that_cannot_boot_is_refused() {
    for (content, reason) in [
        (&b"BZh91AY"[..], "is compressed with bzip2"),
        (b"KDMV", "is in the format vmdk"),
        (b"\xfd7zXZ\0...", "is damaged inside its xz compression"),
    ] {
        let at = Fixture::new(content);
        let error = at.store.download(&at.version).unwrap_err().to_string();
        assert!(error.contains("`office:disk:v1`") && error.contains(reason), "{error}");
        assert!(at.files().is_empty(), "{:?}", at.files());
    }
}

#[test]
fn a_compressed_image_is_stored_as_what_is_in_it() {
    let at = Fixture::new(b"");
    let compressed = HostCommand::new("xz").arg("-c").stdin("a disk").run().unwrap().stdout;
    publish(at.dir.path(), &compressed, "sha256sum");
    let image = at.store.download(&at.version).unwrap();
    assert_eq!(at.stored_content(), b"a disk");
    assert_eq!(image.digest, at.version.get_hash().unwrap(), "that of the compressed file");
    at.store.download(&at.version).unwrap();
    assert_eq!(at.files(), ["", ".hash", ".metadata", ".stored"]);
}

#[test]
fn another_repository_of_the_same_name_does_not_get_the_image_of_the_first() {
    let (at, other) = (Fixture::new(b"one"), Fixture::new(b"two"));
    at.store.download(&at.version).unwrap();
    at.store.download(&other.version).unwrap();
    assert_eq!(fs::read(at.store.get_path(&other.version).unwrap()).unwrap(), b"two");
}

#[test]
fn what_is_used_is_never_pruned_and_what_is_not_is() {
    let at = Fixture::new(b"a disk");
    let (uuid, prefix) = at.prefix("p");
    at.store.acquire(&at.version, uuid, &prefix).unwrap();
    let entry = |store: &TemplateStore| store.entries().unwrap().into_iter().next().unwrap();
    let used = entry(&at.store);
    assert_eq!(
        (used.name.as_str(), used.users.as_slice()),
        ("office:disk:v1", &[prefix.clone()][..])
    );
    assert!(matches!(used.state, StoreEntryState::Whole { format: ImageFormat::Raw, .. }));
    assert!(used.last_used.unwrap().elapsed().unwrap() < Duration::from_secs(60));
    let everything = [StorePrune::All, StorePrune::OlderThan(Duration::ZERO), StorePrune::Useless];
    for what in everything {
        assert_eq!(at.store.prune(what).unwrap(), []);
    }

    // Not by `lago destroy`, so that nobody told the store.
    fs::remove_dir_all(&prefix).unwrap();
    assert_eq!(entry(&at.store).users, <[PathBuf; 0]>::default());
    assert_eq!(at.store.prune(StorePrune::Useless).unwrap(), []);
    assert_eq!(at.store.prune(StorePrune::OlderThan(Duration::from_secs(3600))).unwrap(), []);
    let held = at.store.lock(&at.version).unwrap();
    assert_eq!(at.store.prune(StorePrune::All).unwrap(), [], "somebody works with it");
    drop(held);
    assert_eq!(at.store.prune(StorePrune::All).unwrap().len(), 1);
    assert_eq!(fs::read_dir(at.store.path()).unwrap().count(), 0);
    assert_eq!(at.store.entries().unwrap(), []);
}

#[test]
fn a_prefix_that_was_moved_still_uses_its_images() {
    let at = Fixture::new(b"a disk");
    let (uuid, prefix) = at.prefix("p");
    at.store.acquire(&at.version, uuid, &prefix).unwrap();
    let moved = at.dir.path().join("moved");
    fs::rename(&prefix, &moved).unwrap();
    // Another one in its place is another one.
    let (other, _) = at.prefix("p");
    at.store.acquire(&at.version, other, &prefix).unwrap();
    fs::remove_dir_all(&prefix).unwrap();
    assert_eq!(at.store.prune(StorePrune::All).unwrap(), []);
    assert_eq!(at.store.users(&at.version).unwrap(), [prefix], "where it was");
    fs::remove_dir_all(&moved).unwrap();
    assert_eq!(at.store.prune(StorePrune::All).unwrap().len(), 1);
    assert_eq!(fs::read_dir(at.store.path()).unwrap().count(), 0);
}

#[test]
fn what_an_interrupted_download_left_beside_a_used_image_is_pruned() {
    let at = Fixture::new(b"a disk");
    let (uuid, prefix) = at.prefix("p");
    at.store.acquire(&at.version, uuid, &prefix).unwrap();
    for kind in [Kind::Part, Kind::PartState, Kind::New] {
        fs::write(at.store.file(&at.version, kind), "half").unwrap();
    }
    assert_eq!(at.store.prune(StorePrune::Useless).unwrap(), []);
    assert_eq!(at.files(), ["", ".hash", ".metadata", ".stored", ".users"]);
}

#[test]
fn what_is_of_no_use_is_pruned_in_any_case() {
    let at = Fixture::new(b"a disk");
    at.store.download(&at.version).unwrap();
    fs::write(at.store.get_path(&at.version).unwrap(), "changed").unwrap();
    fs::write(at.store.path().join("office:other:v1.part"), "half").unwrap();
    fs::write(at.store.path().join("office:other:v1.part.json"), "{}").unwrap();
    fs::write(at.store.path().join("notes.txt"), "not ours").unwrap();
    let states = |entries: Vec<StoreEntry>| -> Vec<StoreEntryState> {
        entries.into_iter().map(|entry| entry.state).collect()
    };
    let both = [StoreEntryState::Damaged, StoreEntryState::Unfinished];
    assert_eq!(states(at.store.entries().unwrap()), both);
    assert_eq!(states(at.store.prune(StorePrune::Useless).unwrap()), both);
    let left: Vec<_> =
        fs::read_dir(at.store.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["notes.txt"]);
}

#[test]
fn threads_that_want_the_same_image_copy_it_once() {
    let at = Fixture::new(&vec![b'x'; 16 << 20]);
    let inodes = parallel(0..8, |_| {
        let image = at.store.download(&at.version)?;
        Ok::<_, TemplateError>(fs::metadata(image.path).unwrap().ino())
    })
    .unwrap();
    assert_eq!(inodes, vec![inodes[0]; 8]);
}

/// Names the fixture's directory for [`download_in_a_process`], when a test runs it in a process of its own.
const PROCESS_VARIABLE: &str = "STORE_TEST_DIR";

/// Not a test of its own: what the other processes of the tests below do.
#[test]
fn download_in_a_process() {
    let Some(dir) = std::env::var_os(PROCESS_VARIABLE) else { return };
    let dir = Path::new(&dir);
    let image =
        TemplateStore::open(&dir.join("store")).unwrap().download(&version_in(dir)).unwrap();
    println!("\ninode {}", fs::metadata(image.path).unwrap().ino());
}

fn downloader(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "templates::store::tests::download_in_a_process", "--nocapture"])
        .env(PROCESS_VARIABLE, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn processes_that_want_the_same_image_copy_it_once() {
    let at = Fixture::new(&vec![b'x'; 16 << 20]);
    let children: Vec<Child> = (0..4).map(|_| downloader(at.dir.path())).collect();
    let inode = |child: Child| {
        let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        output.lines().find_map(|line| line.strip_prefix("inode ").map(str::to_owned)).unwrap()
    };
    let inodes: Vec<String> = children.into_iter().map(inode).collect();
    assert_eq!(inodes, vec![inodes[0].clone(); 4]);
}

#[test]
fn a_killed_download_leaves_no_image_and_no_obstacle() {
    let content = vec![b'x'; 64 << 20];
    let at = Fixture::new(&content);
    let mut child = downloader(at.dir.path());
    let partial = at.store.file(&at.version, Kind::New);
    let started = || fs::metadata(&partial).is_ok_and(|file| file.len() > 0);
    while !started() && child.try_wait().unwrap().is_none() {}
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(partial.exists(), "it was killed before or after the download");
    assert!(matches!(at.store.get_path(&at.version), Err(TemplateError::NotStored { .. })));
    at.store.download(&at.version).unwrap();
    assert!(at.stored_content() == content);
    assert!(!partial.exists());
}

/// Names the directory with a repository and a nearly full `store` for [`download_to_a_full_disk`].
const FULL_VARIABLE: &str = "STORE_TEST_FULL";

/// Not a test of its own: runs in namespaces where a small file system is mounted on the store.
#[test]
fn download_to_a_full_disk() {
    let Some(dir) = std::env::var_os(FULL_VARIABLE) else { return };
    let dir = Path::new(&dir);
    let store = TemplateStore::open(&dir.join("store")).unwrap();
    let version = version_in(dir);
    let error = store.download(&version).unwrap_err().to_string();
    assert!(
        error.starts_with("cannot fetch the template `office:disk:v1`: cannot write "),
        "{error}"
    );
    assert!(
        error.contains("No space left on device") && error.contains("free some space"),
        "{error}"
    );
    let left: Vec<_> =
        fs::read_dir(store.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, [store.file(&version, Kind::Lock)]);
    println!("\nthe disk was full");
}

#[test]
fn a_full_disk_is_said_and_leaves_no_half_image() {
    let at = Fixture::new(&vec![b'x'; 4 << 20]);
    let script = "mount -t tmpfs -o size=1m small \"$1/store\" && exec \"$2\" --nocapture \
                  --exact templates::store::tests::download_to_a_full_disk";
    let output = HostCommand::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"])
        .arg(at.dir.path())
        .arg(std::env::current_exe().unwrap())
        .env(FULL_VARIABLE, at.dir.path())
        .output()
        .unwrap();
    let text = output.stdout_text() + &output.stderr_text();
    assert!(output.status.success() && text.contains("the disk was full"), "{text}");
}

#[test]
fn an_image_is_found_by_its_digest_and_by_its_file() {
    let at = Fixture::new(b"a disk");
    let stored = at.store.download(&at.version).unwrap();
    let (name, found) = at.store.find(&stored.digest).unwrap().unwrap();
    assert_eq!((&*name, &found), ("office:disk:v1", &stored));
    let at_file = TemplateStore::stored_at(&stored.path).unwrap();
    assert_eq!(at_file, Some((name.clone(), stored.clone())));
    let (uuid, prefix) = at.prefix("web");
    let acquired = at.store.acquire_by_digest(&stored.digest, uuid, &prefix).unwrap();
    assert_eq!(acquired, Some(stored.clone()));
    assert_eq!(at.store.users(&at.version).unwrap(), [prefix]);

    let other: Digest = "ab".repeat(32).parse().unwrap();
    assert_eq!(at.store.find(&other).unwrap(), None);
    let image = at.dir.path().join("images/disk");
    assert_eq!(TemplateStore::stored_at(&image).unwrap(), None);
    fs::write(&stored.path, b"changed").unwrap();
    assert_eq!(at.store.find(&stored.digest).unwrap(), None);
    assert_eq!(TemplateStore::stored_at(&stored.path).unwrap(), None);
}

/// A key, such as build steps come to.
fn layer_key(digit: char) -> Digest {
    digit.to_string().repeat(64).parse().unwrap()
}

/// Builds by growing the overlay.
fn grow(overlay: &Path) -> Result<(), TemplateError> {
    let resize = HostCommand::new("qemu-img").args(["resize", "-q"]).arg(overlay).arg("8M");
    resize.run().map(drop).map_err(|error| TemplateError::Name { reason: error.to_string() })
}

#[test]
fn what_several_want_to_be_built_is_built_once() {
    let at = Fixture::new(&vec![b'x'; 1 << 20]);
    let builds = std::sync::atomic::AtomicUsize::new(0);
    let prefixes: Vec<_> = (0..4).map(|number| at.prefix(&format!("p{number}"))).collect();
    let layers = parallel(prefixes, |(uuid, prefix)| {
        let base = at.store.acquire(&at.version, uuid, &prefix)?;
        at.store.acquire_layer(&(&base).into(), &layer_key('a'), uuid, &prefix, |overlay| {
            builds.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            grow(overlay)
        })
    })
    .unwrap();
    assert_eq!(builds.into_inner(), 1);
    let layer = &layers[0];
    assert!(layers.iter().all(|other| other == layer));
    assert_eq!(layer.path, at.store.path().join("office:disk:v1@aaaaaaaaaaaaaaaa"));
    assert_eq!((layer.format, &layer.digest), (ImageFormat::Qcow2, &layer_key('a')));
    assert_eq!(layer.metadata["distro"], "debian", "what is known of what it stands on");
    let mode = fs::metadata(&layer.path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode, 0o600);

    let (uuid, prefix) = at.prefix("other");
    let base = at.store.acquire(&at.version, uuid, &prefix).unwrap();
    let other =
        at.store.acquire_layer(&(&base).into(), &layer_key('b'), uuid, &prefix, grow).unwrap();
    assert_ne!(other.path, layer.path);
}

#[test]
fn a_build_that_fails_leaves_nothing_and_is_tried_again() {
    let at = Fixture::new(&vec![b'x'; 1 << 20]);
    let (uuid, prefix) = at.prefix("p");
    let base = at.store.acquire(&at.version, uuid, &prefix).unwrap();
    let before = at.files();
    let fails = |_: &Path| Err(TemplateError::Name { reason: "no".to_owned() });
    let error =
        at.store.acquire_layer(&(&base).into(), &layer_key('a'), uuid, &prefix, fails).unwrap_err();
    assert_eq!(error.to_string(), "no");
    let mut left = at.files();
    left.retain(|name| !name.contains(".lock"));
    assert_eq!(left, before);
    // What a killed process leaves.
    fs::write(at.store.path().join("office:disk:v1@aaaaaaaaaaaaaaaa.new"), "half").unwrap();
    at.store.acquire_layer(&(&base).into(), &layer_key('a'), uuid, &prefix, grow).unwrap();
}

#[test]
fn an_image_is_not_pruned_while_something_stands_on_it_and_goes_after_that() {
    let at = Fixture::new(&vec![b'x'; 1 << 20]);
    let (uuid, prefix) = at.prefix("p");
    let base = at.store.acquire(&at.version, uuid, &prefix).unwrap();
    let layer =
        at.store.acquire_layer(&(&base).into(), &layer_key('a'), uuid, &prefix, grow).unwrap();
    let names = |entries: Vec<StoreEntry>| -> Vec<String> {
        entries.into_iter().map(|entry| entry.name).collect()
    };
    let both = ["office:disk:v1", "office:disk:v1@aaaaaaaaaaaaaaaa"];
    let entries = at.store.entries().unwrap();
    assert!(entries.iter().all(|entry| entry.users == [prefix.clone()]), "{entries:?}");
    assert_eq!(names(entries), both);
    assert_eq!(at.store.prune(StorePrune::All).unwrap(), []);

    fs::remove_dir_all(&prefix).unwrap();
    let held = at.store.lock_of(both[1]).unwrap();
    assert_eq!(at.store.prune(StorePrune::All).unwrap(), [], "somebody works with the layer");
    drop(held);
    assert!(layer.path.exists() && base.path.exists());
    assert_eq!(names(at.store.prune(StorePrune::All).unwrap()), both);
    assert_eq!(fs::read_dir(at.store.path()).unwrap().count(), 0);
}

#[test]
fn a_user_of_a_layer_uses_what_it_stands_on() {
    let at = Fixture::new(&vec![b'x'; 1 << 20]);
    let (uuid, prefix) = at.prefix("p");
    let base = at.store.acquire(&at.version, uuid, &prefix).unwrap();
    at.store.acquire_layer(&(&base).into(), &layer_key('a'), uuid, &prefix, grow).unwrap();
    let (entry, cached) = at.prefix("entry");
    let name = layer_name("office:disk:v1", &layer_key('a'));
    at.store.mark_used_by_name(&name, entry, &cached).unwrap();
    for known in at.store.entries().unwrap() {
        assert!(known.users.contains(&cached), "{known:?}");
    }
    let missing = layer_name("office:disk:v1", &layer_key('b'));
    let error = at.store.mark_used_by_name(&missing, entry, &cached).unwrap_err();
    assert!(matches!(error, TemplateError::NotStored { .. }), "{error}");
}

#[test]
fn a_layer_goes_with_the_image_that_it_stands_on() {
    let at = Fixture::new(&vec![b'x'; 1 << 20]);
    let (uuid, prefix) = at.prefix("p");
    let base = at.store.acquire(&at.version, uuid, &prefix).unwrap();
    let layer =
        at.store.acquire_layer(&(&base).into(), &layer_key('a'), uuid, &prefix, grow).unwrap();
    publish(at.dir.path(), b"new", "sha256sum");
    assert!(matches!(at.store.download(&at.version), Err(TemplateError::Changed { .. })));
    fs::remove_dir_all(&prefix).unwrap();
    at.store.download(&at.version).unwrap();
    assert!(!layer.path.exists());
}

#[test]
fn a_layer_is_no_image_of_a_repository() {
    let at = Fixture::new(&vec![b'x'; 1 << 20]);
    let (uuid, prefix) = at.prefix("p");
    let base = at.store.acquire(&at.version, uuid, &prefix).unwrap();
    let layer =
        at.store.acquire_layer(&(&base).into(), &layer_key('a'), uuid, &prefix, grow).unwrap();
    assert_eq!(TemplateStore::stored_at(&layer.path).unwrap(), None);
    assert_eq!(at.store.find(&layer.digest).unwrap(), None);
}

#[test]
fn what_is_built_on_a_file_stands_on_nothing_of_the_store() {
    let at = Fixture::new(b"x");
    let (uuid, prefix) = at.prefix("p");
    let file = at.dir.path().join("-my image:1.img");
    fs::write(&file, vec![b'x'; 1 << 20]).unwrap();
    let identity = layer_key('c');
    let base = LayerBase::of_file(&file, ImageFormat::Raw, &identity);
    let build = || at.store.acquire_layer(&base, &layer_key('a'), uuid, &prefix, grow).unwrap();
    let layer = build();
    let name = "file:my-image-1.img:cccccccccccccccc@aaaaaaaaaaaaaaaa";
    assert_eq!(layer.path, at.store.path().join(name));
    assert_eq!(build(), layer);
    let (entry, cached) = at.prefix("entry");
    at.store.mark_used_by_name(name, entry, &cached).unwrap();
    fs::remove_dir_all(&prefix).unwrap();
    assert_eq!(at.store.prune(StorePrune::All).unwrap(), []);
    fs::remove_dir_all(&cached).unwrap();
    let removed = at.store.prune(StorePrune::All).unwrap();
    assert_eq!(removed.len(), 1);
    assert_eq!(removed[0].name, name);
    assert!(file.exists());
}
