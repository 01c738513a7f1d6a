//! Capsules of environments with real VMs: saved, opened elsewhere, and what goes wrong with that.

mod damage;
mod forks;
mod killed;
mod one_vm;
mod other_machine;
mod stopped;
mod whole;

use std::path::Path;

use lago::capsule::{self, OpenOptions, SaveOptions, Saved};
use lago_system_tests::{Environment, repository, store};

/// Opens a capsule with the tests' store and templates.
fn open(file: &Path, directory: &Path) -> lago::Result<Environment> {
    capsule::open(file, &options(directory)).map(Environment::from)
}

fn options(directory: &Path) -> OpenOptions {
    let repositories = vec![repository()];
    OpenOptions { repositories, store: Some(store()), ..OpenOptions::new(directory) }
}

fn save(prefix: &Environment, file: &Path) -> Saved {
    prefix.save_capsule(file, &SaveOptions::default()).expect("it can be saved")
}

/// What is said when a capsule cannot be opened. Nothing of it is left then.
#[track_caller]
fn refused(file: &Path, directory: &Path) -> String {
    let error = open(file, directory).expect_err("it cannot be opened").to_string();
    assert!(!directory.exists(), "{} is left: {error}", directory.display());
    error
}
