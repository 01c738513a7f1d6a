//! Leases of subnets while eight processes take and give back ten thousand of them, and are killed at any moment.
//!
//! The program is also what the test starts: a worker makes prefixes of the smallest kind, leases subnets for them and
//! gives them back, or does not. Which worker has a subnet is noted in a file for each, so that one which has it as well
//! is found out.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ipnet::Ipv4Net;
use lago::dirlock::{self, Mode};
use lago::paths::Paths;
use lago::spec::SubnetRange;
use lago::subnet_lease::{Owner, SubnetLeases};
use uuid::Uuid;

const WORKERS: usize = 8;
const ACQUISITIONS: u64 = 10_000;

/// Everything takes seconds; a machine that is busy with other tests may need some more.
const LIMIT: Duration = Duration::from_secs(180);

/// How long a process that was killed may take to be gone.
const DEATH: Duration = Duration::from_secs(60);

/// With this variable the program is a worker, in the directory that it names.
const WORKER_VARIABLE: &str = "LAGO_TEST_LEASES";

/// Not a test of its own: what the other processes do.
#[test]
fn be_a_worker() {
    if let Some(dir) = std::env::var_os(WORKER_VARIABLE) {
        Place::new(Path::new(&dir)).work();
    }
}

#[test]
fn no_subnet_is_leased_twice_or_lost_whoever_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::new(dir.path());
    fs::create_dir(place.held()).unwrap();
    let mut workers: Vec<Child> = (0..WORKERS).map(|_| place.start_worker()).collect();
    let start = Instant::now();
    let mut kills = 0;
    while place.acquired() < ACQUISITIONS {
        assert!(start.elapsed() < LIMIT, "{} acquisitions in {LIMIT:?}", place.acquired());
        thread::sleep(Duration::from_millis(10 + random() % 90));
        let victim = &mut workers[usize::try_from(random()).unwrap() % WORKERS];
        assert!(victim.try_wait().unwrap().is_none(), "a worker has failed");
        victim.kill().unwrap();
        victim.wait().unwrap();
        place.remove_prefixes_of(victim.id());
        kills += 1;
        *victim = place.start_worker();
    }
    fs::write(place.stop(), "").unwrap();
    for worker in &mut workers {
        assert!(worker.wait().unwrap().success(), "a worker has failed");
    }

    assert!(kills > WORKERS, "only {kills} processes were killed");
    let duplicates = fs::read_to_string(place.duplicates()).unwrap_or_default();
    assert!(duplicates.is_empty(), "{duplicates}");
    assert_eq!(place.leases.list().unwrap(), [], "after {kills} kills");
    let paths = place.new_prefix("last");
    let owner = Owner::of(paths.prefix()).unwrap();
    fs::write(paths.record(), "").unwrap();
    for _ in 0..SubnetRange::default().len() {
        place.leases.acquire(&owner, &[]).unwrap();
    }
}

/// The directory of one run of the test.
struct Place {
    dir: PathBuf,
    leases: SubnetLeases,
}

impl Place {
    fn new(dir: &Path) -> Self {
        let leases = SubnetLeases::new(dir.join("leases"), SubnetRange::default());
        Self { dir: dir.to_owned(), leases }
    }

    fn held(&self) -> PathBuf {
        self.dir.join("held")
    }

    fn stop(&self) -> PathBuf {
        self.dir.join("stop")
    }

    fn duplicates(&self) -> PathBuf {
        self.dir.join("duplicates")
    }

    /// How many leases all workers together have taken: a byte for each.
    fn acquired(&self) -> u64 {
        fs::metadata(self.dir.join("acquired")).map_or(0, |file| file.len())
    }

    fn start_worker(&self) -> Child {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "be_a_worker"])
            .env(WORKER_VARIABLE, &self.dir)
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }

    fn append(&self, name: &str, text: &[u8]) {
        let mut file =
            OpenOptions::new().append(true).create(true).open(self.dir.join(name)).unwrap();
        file.write_all(text).unwrap();
    }

    fn new_prefix(&self, name: &str) -> Paths {
        let paths = Paths::new(self.dir.join(name));
        fs::create_dir(paths.prefix()).unwrap();
        fs::write(paths.uuid(), Uuid::new_v4().to_string()).unwrap();
        paths
    }

    /// As somebody does who removes by hand what a killed process left.
    fn remove_prefixes_of(&self, pid: u32) {
        for entry in fs::read_dir(&self.dir).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name().to_str().unwrap().starts_with(&format!("{pid}-")) {
                fs::remove_dir_all(entry.path()).unwrap();
            }
        }
    }

    fn work(&self) {
        let mut number = 0;
        while !self.stop().exists() {
            number += 1;
            self.live(&format!("{}-{number}", std::process::id()));
        }
    }

    /// The life of one prefix: half made or whole, with one to three subnets, and given back in an orderly way or not.
    fn live(&self, name: &str) {
        let paths = self.new_prefix(name);
        let lock = dirlock::lock(paths.prefix(), Mode::Exclusive, Duration::ZERO).unwrap();
        let owner = Owner::of(paths.prefix()).unwrap();
        if random().is_multiple_of(2) {
            fs::write(paths.record(), "").unwrap();
        }
        let mut subnets = Vec::new();
        for _ in 0..=random() % 3 {
            let subnet = self.leases.acquire(&owner, &[]).unwrap();
            self.append("acquired", b".");
            self.note(subnet);
            subnets.push(subnet);
        }
        thread::sleep(Duration::from_micros(random() % 2000));
        for subnet in &subnets {
            fs::write(self.note_of(*subnet), "").unwrap();
        }
        match random() % 3 {
            0 => self.leases.release_all(&owner).unwrap(),
            1 => subnets.iter().for_each(|subnet| self.leases.release(&owner, *subnet).unwrap()),
            _ => {}
        }
        fs::remove_dir_all(paths.prefix()).unwrap();
        drop(lock);
    }

    fn note_of(&self, subnet: Ipv4Net) -> PathBuf {
        self.held().join(subnet.network().to_string())
    }

    /// Notes that this process has a subnet. Whoever is noted there already was killed: it is on its way out at least.
    /// One that still takes its note away had the subnet too.
    fn note(&self, subnet: Ipv4Net) {
        let note = self.note_of(subnet);
        let read = || fs::read_to_string(&note).unwrap_or_default();
        let other = read();
        let start = Instant::now();
        while is_alive(&other) {
            let changed = read() != other;
            if changed || start.elapsed() > DEATH {
                let how = if changed { "and gave it back" } else { "and keeps it" };
                let mine = std::process::id();
                self.append(
                    "duplicates",
                    format!("{subnet}: {other} has it, {mine} too, {how}\n").as_bytes(),
                );
                break;
            }
            thread::sleep(Duration::from_millis(1));
        }
        fs::write(&note, std::process::id().to_string()).unwrap();
    }
}

/// Whether there is such a process, and it is no zombie.
fn is_alive(pid: &str) -> bool {
    !pid.is_empty()
        && fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| !stat.rsplit(") ").next().unwrap_or_default().starts_with(['Z', 'X']))
}

fn random() -> u64 {
    Uuid::new_v4().as_u64_pair().0 >> 16
}
