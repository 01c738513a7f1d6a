use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::paths::Paths;

/// A directory with leases and with prefixes.
struct Place {
    dir: TempDir,
    leases: SubnetLeases,
}

impl Place {
    fn new(range: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let leases = SubnetLeases::new(dir.path().join("leases"), range.parse().unwrap());
        Self { dir, leases }
    }

    fn paths(&self, name: &str) -> Paths {
        Paths::new(self.dir.path().join(name))
    }

    /// A directory as `init` leaves it after its first steps.
    fn half_made(&self, name: &str) -> Owner {
        let paths = self.paths(name);
        fs::create_dir(paths.prefix()).unwrap();
        fs::write(paths.uuid(), Uuid::new_v4().to_string()).unwrap();
        Owner::of(paths.prefix()).unwrap()
    }

    fn prefix(&self, name: &str) -> Owner {
        let owner = self.half_made(name);
        fs::write(self.paths(name).record(), "{}").unwrap();
        owner
    }

    fn leased(&self) -> Vec<String> {
        self.leases.list().unwrap().iter().map(|lease| lease.subnet.to_string()).collect()
    }
}

#[test]
fn two_owners_have_different_subnets_and_give_back_their_own() {
    let place = Place::new("10.1.0.0/16");
    let (one, other) = (place.prefix("one"), place.prefix("other"));
    place.leases.acquire(&one, &[]).unwrap();
    place.leases.acquire(&other, &[]).unwrap();
    place.leases.acquire(&one, &[]).unwrap();
    assert_eq!(place.leased(), ["10.1.0.0/24", "10.1.1.0/24", "10.1.2.0/24"]);
    place.leases.release(&one, "10.1.1.0/24".parse().unwrap()).unwrap();
    assert_eq!(place.leased().len(), 3, "it is not its own");
    place.leases.release(&one, "10.1.0.0/24".parse().unwrap()).unwrap();
    assert_eq!(place.leased(), ["10.1.1.0/24", "10.1.2.0/24"]);
    place.leases.release_all(&one).unwrap();
    assert_eq!(place.leased(), ["10.1.1.0/24"]);
    assert!(place.leases.is_leasable_subnet("10.1.9.0/24".parse().unwrap()));
    assert!(!place.leases.is_leasable_subnet("10.2.9.0/24".parse().unwrap()));
}

#[test]
fn what_others_use_is_left_alone() {
    let place = Place::new("10.1.0.0/24-10.1.3.0/24");
    let owner = place.prefix("one");
    let in_use = ["10.1.0.128/25".parse().unwrap(), "10.1.2.0/23".parse().unwrap()];
    assert_eq!(place.leases.acquire(&owner, &in_use).unwrap().to_string(), "10.1.1.0/24");
    let error = place.leases.acquire(&owner, &in_use).unwrap_err();
    let dir = place.leases.dir().display();
    assert_eq!(
        error.to_string(),
        format!(
            "there is no free subnet for the network: 4 of the 4 of 10.1.0.0/24-10.1.3.0/24 are taken (1 by {owner}, as \
             {dir} says; 10.1.0.128/25, 10.1.2.0/23 by others on the host); destroy a prefix that is not needed, or set \
             `subnet_range` to a larger range"
        )
    );
}

#[test]
fn a_full_range_says_who_has_it() {
    let place = Place::new("10.1.0.0/24-10.1.7.0/24");
    for number in 0..8 {
        place.leases.acquire(&place.prefix(&number.to_string()), &[]).unwrap();
    }
    let error = place.leases.acquire(&place.prefix("late"), &[]).unwrap_err().to_string();
    assert!(error.contains("8 of the 8 of 10.1.0.0/24-10.1.7.0/24 are taken (1 by /"), "{error}");
    assert!(error.contains("/4, 3 more, as "), "{error}");
}

#[test]
fn the_usual_range_has_room_for_fifty_six() {
    let place = Place::new(&SubnetRange::default().to_string());
    let owner = place.prefix("one");
    for _ in 0..56 {
        place.leases.acquire(&owner, &[]).unwrap();
    }
    assert!(matches!(place.leases.acquire(&owner, &[]), Err(LeaseError::Full { .. })));
}

#[test]
fn a_subnet_of_a_file_is_leased_once() {
    let place = Place::new("10.1.0.0/16");
    let (one, other) = (place.prefix("one"), place.prefix("other"));
    let subnet = "172.20.0.0/16".parse().unwrap();
    place.leases.acquire_subnet(&one, subnet).unwrap();
    place.leases.acquire_subnet(&one, subnet).unwrap();
    let inside = "172.20.7.0/24".parse().unwrap();
    let error = place.leases.acquire_subnet(&other, inside).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!(
            "172.20.7.0/24 cannot be used: 172.20.0.0/16 is leased to the prefix {one};"
        )),
        "{error}"
    );
}

#[test]
fn leases_of_what_is_gone_are_free_again() {
    let place = Place::new("10.1.0.0/24");
    let removed = place.prefix("removed");
    place.leases.acquire(&removed, &[]).unwrap();
    fs::remove_dir_all(place.paths("removed").prefix()).unwrap();
    assert_eq!(place.leased(), Vec::<String>::new());

    let replaced = place.prefix("replaced");
    place.leases.acquire(&replaced, &[]).unwrap();
    fs::write(place.paths("replaced").uuid(), Uuid::new_v4().to_string()).unwrap();
    assert_eq!(place.leased(), Vec::<String>::new());
    let new = Owner::of(place.paths("replaced").prefix()).unwrap();
    place.leases.acquire(&new, &[]).unwrap();
    fs::remove_file(place.paths("replaced").record()).unwrap();
    assert_eq!(place.leased(), Vec::<String>::new(), "nobody makes it");
}

#[test]
fn a_prefix_that_is_being_made_keeps_its_lease() {
    let place = Place::new("10.1.0.0/24");
    let owner = place.half_made("one");
    let lock = dirlock::lock(place.paths("one").prefix(), Mode::Exclusive, Duration::ZERO).unwrap();
    place.leases.acquire(&owner, &[]).unwrap();
    assert_eq!(place.leased(), ["10.1.0.0/24"]);
    drop(lock);
    assert_eq!(place.leased(), Vec::<String>::new());
}

#[test]
fn damaged_and_half_written_leases_are_in_nobodys_way() {
    let place = Place::new("10.1.0.0/24");
    let owner = place.prefix("one");
    fs::create_dir(place.leases.dir()).unwrap();
    fs::write(place.leases.dir().join("10.1.0.0-24.lease"), "").unwrap();
    fs::write(place.leases.dir().join(".new"), "{").unwrap();
    place.leases.acquire(&owner, &[]).unwrap();
    assert_eq!(place.leased(), ["10.1.0.0/24"]);
    let mode = |name: &str| {
        fs::metadata(place.leases.dir().join(name)).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(mode("10.1.0.0-24.lease"), 0o644);
    let newer = r#"{"subnet": "10.1.1.0/24", "holder": "a later lago"}"#;
    fs::write(place.leases.dir().join("10.1.1.0-24.lease"), newer).unwrap();
    let error = place.leases.acquire(&owner, &[]).unwrap_err().to_string();
    assert!(error.contains("10.1.1.0-24.lease"), "{error}");
}

#[test]
fn a_directory_without_a_uuid_owns_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let error = Owner::of(dir.path()).unwrap_err().to_string();
    assert!(error.contains("is no prefix, and cannot lease a subnet"), "{error}");
    assert!(Owner::of(Path::new("/no/such/prefix")).is_err());
}
