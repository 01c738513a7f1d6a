//! An environment that was started before starts from there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use lago::cache::{Cache, Prune, StartOrigin, Started};
use lago::templates::TemplateStore;
use lago::{InitFile, Prefix, cmd};
use lago_system_tests::{Environment, Place, Traces, init_file, lago, run, store};

/// More than what the tests put into a cache.
const LIMIT: u64 = 10 << 30;

fn one_vm() -> InitFile {
    InitFile::load(&init_file("one-vm.yaml")).unwrap()
}

fn start(cache: &Cache, path: &Path) -> Started {
    cache.start(Environment::options(path, one_vm())).unwrap()
}

fn sh(prefix: &Prefix, script: &str) -> String {
    let vm = prefix.vms().next().unwrap();
    vm.run(cmd!("sh", "-c", script)).unwrap().stdout().into_owned()
}

/// What the first process got at random when the guest booted. The kernel's own `boot_id` is made when it is first read.
fn boot(prefix: &Prefix) -> String {
    sh(prefix, "md5sum < /proc/1/auxv")
}

fn host_key(prefix: &Prefix) -> String {
    fs::read_to_string(prefix.paths().host_key_pub("vm0")).unwrap()
}

fn console(prefix: &Prefix) -> String {
    let log = fs::read(prefix.paths().console_log("vm0")).unwrap();
    String::from_utf8_lossy(&log).into_owned()
}

/// Whom the store knows to use an image.
fn image_users() -> Vec<PathBuf> {
    let images = TemplateStore::open(&store()).unwrap().entries().unwrap();
    images.into_iter().flat_map(|image| image.users).collect()
}

#[test]
fn the_second_start_goes_on_from_the_first() {
    let place = Place::new("cache-second");
    let cache = Cache::new(place.join("cache"), LIMIT);
    let first = start(&cache, &place.join("first"));
    assert_eq!(first.origin, StartOrigin::Boot);
    let (id, key) = (boot(&first.prefix), host_key(&first.prefix));
    sh(&first.prefix, "echo changed > /root/mark; sync");
    // What made the entry may go: the entry stands on its own.
    first.prefix.destroy().unwrap();

    let path = place.join("second");
    let traces = Traces::before(&path);
    let second = start(&cache, &path);
    assert_eq!(second.origin, StartOrigin::Cache);
    assert_eq!((boot(&second.prefix), host_key(&second.prefix)), (id.clone(), key));
    assert_eq!(sh(&second.prefix, "cat /root/mark 2>/dev/null || echo none"), "none\n");
    sh(&second.prefix, "echo said later > /dev/console");
    let console = console(&second.prefix);
    assert_eq!(console.matches("mini: up after").count(), 1, "the boot, and no other: {console}");
    assert!(console.contains("said later"), "{console}");

    // The environment has the state as its own.
    second.prefix.revert("start").unwrap();
    assert_eq!(boot(&second.prefix), id);

    let entries = cache.entries().unwrap();
    assert_eq!((entries.len(), &entries[0].forks), (1, &vec![path.clone()]));
    assert!((1 << 20..500 << 20).contains(&entries[0].size), "{entries:?}");
    assert!(cache.prune(Prune::All).unwrap().is_empty(), "a fork stands on it");
    second.prefix.destroy().unwrap();
    traces.assert_none_left();
    assert!(image_users().contains(&entries[0].path), "the entry stands on the image");
    assert_eq!(cache.prune(Prune::All).unwrap().len(), 1);
    assert!(!image_users().contains(&entries[0].path));
    assert!(cache.entries().unwrap().is_empty());
}

#[test]
fn of_two_that_start_at_once_one_boots() {
    let place = Place::new("cache-twins");
    let cache = Cache::new(place.join("cache"), LIMIT);
    let paths = [place.join("first"), place.join("second")];
    let started: Vec<Started> = thread::scope(|scope| {
        let starting: Vec<_> =
            paths.iter().map(|path| scope.spawn(|| start(&cache, path))).collect();
        starting.into_iter().map(|start| start.join().unwrap()).collect()
    });
    let mut origins: Vec<_> = started.iter().map(|started| started.origin.clone()).collect();
    origins.sort_by_key(|origin| *origin == StartOrigin::Cache);
    assert_eq!(origins, [StartOrigin::Boot, StartOrigin::Cache]);
    assert_eq!(boot(&started[0].prefix), boot(&started[1].prefix));
}

/// Harm that is seen before an entry is used.
type Harm = (&'static str, fn(&Path));

#[test]
fn a_damaged_entry_is_removed_and_made_anew() {
    let place = Place::new("cache-damaged");
    let cache = Cache::new(place.join("cache"), LIMIT);
    let prefix = place.join("prefix");
    start(&cache, &prefix).prefix.destroy().unwrap();
    let entry = cache.entries().unwrap().remove(0).path;
    let whole = place.join("whole");
    copy(&entry, &whole);

    let harms: [Harm; 5] = [
        ("a missing file", |entry| fs::remove_file(entry.join(MEMORY)).unwrap()),
        ("a shorter file", |entry| fs::write(entry.join(MEMORY), "short").unwrap()),
        ("no snapshot", |entry| fs::remove_file(entry.join("state.json")).unwrap()),
        ("no record", |entry| fs::remove_file(entry.join("prefix.json")).unwrap()),
        ("a process killed at work", |entry| {
            fs::rename(entry.join("prefix.json"), entry.join(".lago-unfinished")).unwrap();
        }),
    ];
    for (what, harm) in harms {
        harm(&entry);
        assert!(cache.entries().unwrap()[0].damage.is_some(), "{what}");
        let made = cache.init(Environment::options(&prefix, one_vm())).unwrap();
        assert!(!made.is_hit() && !entry.exists(), "{what}");
        made.prefix().clone().destroy().unwrap();
        copy(&whole, &entry);
    }

    // Damage that shows only when the memory is used: the same size, the same time.
    let modified = fs::metadata(entry.join(MEMORY)).unwrap().modified().unwrap();
    let mut content = fs::read(entry.join(MEMORY)).unwrap();
    let middle = content.len() / 2;
    content[middle..middle + 4096].fill(0);
    fs::write(entry.join(MEMORY), content).unwrap();
    let file = fs::File::options().write(true).open(entry.join(MEMORY)).unwrap();
    file.set_modified(modified).unwrap();
    let booted = start(&cache, &prefix);
    let StartOrigin::UncachedBoot { reason } = booted.origin else { panic!("{:?}", booted.origin) };
    assert!(reason.contains("did not come up"), "{reason}");
    assert_eq!(sh(&booted.prefix, "echo up"), "up\n");
    assert!(!entry.exists(), "what cannot be used is forgotten");
}

const MEMORY: &str = "snapshots/start/vm0.memory.zst";

/// With the times of the files.
fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

#[test]
fn another_memory_size_boots_and_the_command_lists_and_prunes() {
    let place = Place::new("cache-command");
    let dir = place.join("cache");
    let cache = Cache::new(&dir, LIMIT);
    let first = start(&cache, &place.join("first"));
    assert_eq!(first.origin, StartOrigin::Boot);
    first.prefix.destroy().unwrap();
    // Neither is started: what they would start from is decided.
    let mut larger = one_vm();
    larger.domains["vm0"].memory += 16;
    let larger = cache.init(Environment::options(&place.join("larger"), larger)).unwrap();
    assert!(!larger.is_hit());
    let same = cache.init(Environment::options(&place.join("second"), one_vm())).unwrap();
    assert!(same.is_hit() && !same.prefix().host().is_running());

    let command = |args: &[&str]| {
        let mut command = lago(["cache"].iter().chain(args));
        command.env("LAGO_CACHE_DIR", &dir);
        command
    };
    let ok = |args: &[&str]| run(&mut command(args)).ok();
    let listed = ok(&["list"]);
    let key = cache.entries().unwrap()[0].key.short().to_owned();
    for shown in [&*key, "on: True", "VMs: vm0", "limit: 10240 MiB", "cache-command/second"] {
        assert!(listed.contains(shown), "{listed}");
    }
    assert!(!ok(&["prune", "--all"]).contains(&key), "a fork stands on it");
    ok(&["off"]);
    assert!(ok(&["list"]).contains("on: False"));
    let overridden = run(command(&["list"]).env("LAGO_CACHE", "on")).ok();
    assert!(overridden.contains("on: True"), "{overridden}");
    ok(&["on"]);
    Prefix::destroy_at(place.join("second")).unwrap();
    assert!(ok(&["prune", "--all"]).contains(&key));
    assert!(!ok(&["list"]).contains(&key));
}
