//! Two prefixes with the same subnet at once.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use lago::guest::{Cmd, keys::KeyPair};
use lago::{Prefix, Vm, cmd};
use lago_system_tests::{Environment, Place, run, store};
use sha2::{Digest as _, Sha256};

#[test]
fn two_prefixes_with_the_same_subnet() {
    let place = Place::new("twins");
    let twins = ["left", "right"].map(|name| Environment::new(&place.join(name), "one-vm.yaml"));
    let templates = digests(&store());

    thread::scope(|scope| {
        for twin in &twins {
            scope.spawn(|| twin.start().expect("it starts"));
        }
    });
    let [left, right] = &twins;
    each_has_a_guest_of_its_own(left, right);
    each_host_has_only_its_own(left);
    secrets_are_kept(left);
    another_host_key_is_refused(left);
    left.stop().expect("it stops");
    assert!(!left.is_running().expect("it is known"));
    vm(right).run(cmd!("true")).expect("the other one goes on");
    // Another test may have added one meanwhile.
    let after = digests(&store());
    let unchanged = templates.iter().all(|template| after.contains(template));
    assert!(unchanged, "a template's image was changed: {templates:?} {after:?}");
}

fn vm(prefix: &Prefix) -> &Vm {
    prefix.vm("vm0").expect("it is in the init file")
}

fn each_has_a_guest_of_its_own(left: &Prefix, right: &Prefix) {
    assert_eq!(vm(left).ip(), vm(right).ip());
    for (prefix, word) in [(left, "left"), (right, "right")] {
        vm(prefix).run(Cmd::sh("echo $1 >/root/who").arg(word)).expect("it writes");
    }
    for (prefix, word) in [(left, "left\n"), (right, "right\n")] {
        let who = vm(prefix).run(cmd!("cat", "/root/who")).expect("it reads");
        assert_eq!(who.stdout(), word);
    }
}

/// One domain, one network, one process of QEMU: the other prefix's are not seen.
fn each_host_has_only_its_own(prefix: &Prefix) {
    let inside = |words: &[&str]| {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        prefix.host().enter(&mut command).expect("the host runs");
        run(&mut command).ok()
    };
    let uri = "qemu:///system";
    assert_eq!(inside(&["virsh", "-c", uri, "list", "--all", "--name"]).trim(), "vm0");
    assert_eq!(inside(&["virsh", "-c", uri, "net-list", "--all", "--name"]).trim(), "lan");
    let processes = inside(&["sh", "-c", "cat /proc/[0-9]*/comm"]);
    assert_eq!(processes.matches("qemu-system").count(), 1, "{processes}");
    let bridges = inside(&["sh", "-c", "ls -d /sys/class/net/*/bridge"]);
    assert_eq!(bridges.lines().count(), 1, "{bridges}");
    let outside = fs::read_to_string("/proc/net/dev").expect("it reads");
    let bridge = &prefix.record().plan.nets[0].bridge;
    assert!(!outside.contains(bridge.as_str()), "{bridge} is in the machine's network: {outside}");
}

fn secrets_are_kept(prefix: &Prefix) {
    let paths = prefix.paths();
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    for secret in [paths.ssh_key(), paths.host_key("vm0"), paths.seed("vm0"), paths.record()] {
        assert_eq!(mode(&secret), 0o600, "{}", secret.display());
    }
    for image in files(&paths.images()) {
        assert_eq!(mode(&image), 0o600, "{}", image.display());
    }
    for image in files(&store()) {
        assert_eq!(mode(&image) & 0o077, 0, "{}", image.display());
    }
    let password = &vm(prefix).spec().root_password;
    for file in files(paths.prefix()).iter().filter(|file| mode(file) & 0o044 != 0) {
        if is_behind_a_closed_door(file, paths.prefix()) {
            continue;
        }
        let text = String::from_utf8_lossy(&fs::read(file).expect("it reads")).into_owned();
        for secret in ["PRIVATE KEY", password] {
            assert!(!text.contains(secret), "{} has {secret:?} in it", file.display());
        }
    }
}

/// Whether a directory between the prefix and the file keeps others out.
fn is_behind_a_closed_door(file: &Path, prefix: &Path) -> bool {
    let directories = file.ancestors().skip(1).take_while(|path| path.starts_with(prefix));
    directories
        .into_iter()
        .any(|path| fs::metadata(path).expect("it is there").permissions().mode() & 0o011 == 0)
}

fn another_host_key_is_refused(prefix: &Prefix) {
    let right = prefix.paths().host_key_pub("vm0");
    let kept = fs::read(&right).expect("it reads");
    let other = KeyPair::generate("other").expect("a key can be made");
    fs::write(&right, other.public_line().expect("a line")).expect("it writes");

    let reopened = Prefix::open(prefix.paths().prefix()).expect("it opens");
    let error = vm(&reopened).run(cmd!("true")).expect_err("the key is not the guest's");
    let message = error.to_string();
    assert!(message.contains("vm0") && message.contains("another host key"), "{message}");
    fs::write(&right, kept).expect("it writes");
    let reopened = Prefix::open(prefix.paths().prefix()).expect("it opens");
    vm(&reopened).run(cmd!("true")).expect("the key is the guest's again");
}

/// All files below a directory; sockets and links are none.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("it is a directory").flatten() {
        let kind = entry.file_type().expect("it has a kind");
        if kind.is_dir() {
            found.extend(files(&entry.path()));
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    found
}

/// What is in the images of a store. The files beside them have an extension, and change when a prefix uses an image.
fn digests(store: &Path) -> Vec<(PathBuf, String)> {
    let is_image = |path: &PathBuf| path.extension().is_none();
    let mut images: Vec<_> = files(store).into_iter().filter(is_image).collect();
    images.sort();
    images
        .into_iter()
        .map(|path| {
            let digest = Sha256::digest(fs::read(&path).expect("it reads"));
            (path, format!("{digest:x}"))
        })
        .collect()
}
