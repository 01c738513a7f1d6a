//! Prefixes that cannot be made.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

use lago::templates::TemplateRepository;
use lago::utils::error_chain;
use lago::{InitFile, InitOptions, Prefix};
use lago_system_tests::{
    Environment, Place, Ran, init_file, lago, lago_path, repository_manifest, run, store,
};

fn load(name: &str) -> InitFile {
    InitFile::load(&init_file(name)).expect("the init file is right")
}

fn whole(error: &(dyn Error + 'static)) -> String {
    error_chain(error)
}

#[test]
fn a_template_that_does_not_exist() {
    let place = Place::new("no-template");
    let path = place.join("prefix");
    let text = fs::read_to_string(init_file("one-vm.yaml")).expect("it reads");
    let text = text.replace("template_name: mini", "template_name: minni");
    let init_file = InitFile::parse(&text, Path::new("LagoInitFile.yaml")).expect("it is right");
    let message = whole(&Environment::of(&path, init_file).expect_err("there is no such template"));
    for part in ["minni", "looked into fixtures", " mini"] {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
    assert!(!path.exists());
}

#[test]
fn a_template_whose_hash_differs() {
    let place = Place::new("other-hash");
    let (path, store) = (place.join("prefix"), place.join("store"));
    let repository = changed_repository(&place.join("repository"));
    let options = InitOptions::new(&path, load("one-vm.yaml")).repository(repository).store(&store);
    let message = whole(&Prefix::init(&options).expect_err("the image was changed"));
    for part in ["mini", "promises", "SHA-256"] {
        assert!(
            message.to_lowercase().contains(&part.to_lowercase()),
            "{part:?} is not in: {message}"
        );
    }
    assert!(!path.exists());
    let kept: u64 = fs::read_dir(&store)
        .expect("it reads")
        .map(|entry| entry.expect("it reads").metadata().expect("it is there").len())
        .sum();
    assert!(kept < 4096, "{kept} bytes of a wrong image were kept");
}

/// A repository whose image `mini` is not the one that its `.hash` file promises.
fn changed_repository(directory: &Path) -> TemplateRepository {
    fs::create_dir_all(directory).expect("a directory can be made");
    let manifest = fs::read_to_string(repository_manifest()).expect("it reads");
    let mut manifest: serde_json::Value = serde_json::from_str(&manifest).expect("it is JSON");
    let root = Path::new(manifest["sources"]["local"]["args"]["root"].as_str().expect("a path"));
    let versions = manifest["templates"]["mini"]["versions"].as_object().expect("mini is listed");
    let image = versions.values().next().expect("mini has a version")["handle"].as_str();
    let image = image.expect("a handle is a file's name").to_owned();
    for suffix in ["", ".hash", ".metadata"] {
        let name = format!("{image}{suffix}");
        fs::copy(root.join(&name), directory.join(&name)).expect("it copies");
    }
    let mut content = fs::read(directory.join(&image)).expect("it reads");
    *content.last_mut().expect("it is not empty") ^= 1;
    fs::write(directory.join(&image), content).expect("it writes");
    manifest["sources"]["local"]["args"]["root"] = directory.to_string_lossy().into();
    let path = directory.join("repo.json");
    fs::write(&path, manifest.to_string()).expect("it writes");
    TemplateRepository::from_file(&path).expect("it is right")
}

#[test]
fn a_directory_that_exists() {
    let place = Place::new("exists");
    let path = place.join("prefix");
    let prefix = Environment::new(&path, "one-vm.yaml");
    let id = prefix.record().id;
    let refused = |path: &Path| {
        let refused = Environment::of(path, load("one-vm.yaml"));
        whole(&refused.expect_err("something is there already"))
    };
    assert!(refused(&path).contains("is a prefix already"), "{}", refused(&path));
    assert_eq!(Prefix::open(&path).expect("it is still there").record().id, id);

    let other = place.join("other");
    fs::create_dir(&other).expect("a directory can be made");
    fs::write(other.join("thesis.txt"), "years of work").expect("it writes");
    assert!(refused(&other).contains("is no prefix; nothing was touched"), "{}", refused(&other));
    let kept = fs::read_to_string(other.join("thesis.txt")).expect("it is still there");
    assert_eq!(kept, "years of work");
    assert!(Prefix::destroy_at(&other).is_err());
    assert!(other.join("thesis.txt").is_file());

    let file = place.join("file");
    fs::write(&file, "a file").expect("it writes");
    let message = refused(&file);
    assert!(message.contains(&*file.to_string_lossy()), "{message}");
    assert_eq!(fs::read_to_string(&file).expect("it is still there"), "a file");
}

/// Two VMs need more than this: each seed and each overlay takes some hundred kilobytes.
const SMALL_DISK: &str = "size=2m";

/// The mount is made in a namespace of its own, so that a plain user may make it and nothing of it stays.
#[test]
fn a_full_disk() {
    let place = Place::new("full-disk");
    let disk = place.join("disk");
    fs::create_dir(&disk).expect("a directory can be made");
    let text = fs::read_to_string(init_file("one-vm.yaml")).expect("it reads");
    let disk_lines = ('b'..='m')
        .map(|letter| {
            format!(
                "      - {{name: d{letter}, type: empty, size: 1G, dev: vd{letter}, format: qcow2}}"
            )
        })
        .collect::<Vec<_>>()
        .join("\n");
    let with_disks = text.replace("format: qcow2}", &format!("format: qcow2}}\n{disk_lines}"));
    let init_file = place.join("LagoInitFile.yaml");
    fs::write(&init_file, with_disks).expect("it writes");

    let script = "
        mount -t tmpfs -o $3 none $1 || exit 100
        cd $1
        $2 --prefix-path $1/prefix init $4 && exit 101
        left=$(ls -A $1)
        [ -z \"$left\" ] || { echo left: $left; exit 102; }
        mount -o remount,size=50m $1 || exit 103
        $2 --prefix-path $1/prefix init $4 || exit 104
        $2 --prefix-path $1/prefix destroy --yes || exit 105
        left=$(ls -A $1)
        [ -z \"$left\" ] || { echo left: $left; exit 106; }";
    let settings = lago(Vec::<&str>::new());
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]);
    command.arg(&disk).arg(lago_path()).arg(SMALL_DISK).arg(&init_file);
    command.envs(settings.get_envs().filter_map(|(name, value)| Some((name, value?))));
    // The store must have the image before: it is on another disk, which is not full.
    drop(Environment::new(&place.join("filled-store"), "one-vm.yaml"));
    assert!(store().is_dir());
    let ran: Ran = run(&mut command);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    for part in ["cannot make disk", "vm0", "No space left on device"] {
        assert!(ran.stderr.contains(part), "{part:?} is not in: {}", ran.stderr);
    }
}
