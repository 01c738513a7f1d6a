use std::fs;
use std::path::Path;

use super::{Prefix, removal};
use crate::constants::PREFIX_FORMAT;
use crate::paths::Paths;
use crate::workdir::WorkdirError;
use crate::{Error, dirlock};

fn prefix_in(dir: &Path, format: u32) -> Paths {
    let paths = Paths::new(dir.join("prefix"));
    fs::create_dir_all(paths.images()).unwrap();
    fs::write(paths.images().join("disk"), "").unwrap();
    fs::write(paths.lock(), "").unwrap();
    fs::write(paths.record(), format!(r#"{{"format": {format}, "lago": "99.0.0"}}"#)).unwrap();
    paths
}

#[test]
fn whatever_a_cut_short_removal_leaves_can_be_destroyed() {
    for cleared in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let paths = prefix_in(dir.path(), PREFIX_FORMAT);
        removal::mark(&paths).unwrap();
        if cleared {
            removal::clear(&paths).unwrap();
        }
        Prefix::destroy_at(paths.prefix()).unwrap();
        assert!(!paths.prefix().exists());
    }
}

#[test]
fn a_prefix_of_a_newer_lago_is_not_destroyed_without_knowing_what_runs_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let paths = prefix_in(dir.path(), PREFIX_FORMAT + 1);
    let error = Prefix::destroy_at(paths.prefix()).unwrap_err();
    assert!(matches!(error, Error::Workdir(WorkdirError::TooNew { .. })), "{error}");
    assert!(paths.images().join("disk").exists());
}

#[test]
fn a_damaged_prefix_is_destroyed() {
    let dir = tempfile::tempdir().unwrap();
    let paths = prefix_in(dir.path(), PREFIX_FORMAT);
    Prefix::destroy_at(paths.prefix()).unwrap();
    assert!(!paths.prefix().exists());
}

#[test]
fn removing_spares_the_lock_and_the_mark_until_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let paths = prefix_in(dir.path(), PREFIX_FORMAT);
    removal::mark(&paths).unwrap();
    removal::clear(&paths).unwrap();
    let mut left: Vec<_> = fs::read_dir(paths.prefix())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, [".lago-unfinished", dirlock::LOCK_FILE]);
}
