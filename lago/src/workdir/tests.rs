use proptest::prelude::*;

use super::*;

/// Makes the directory a prefix, as far as a workdir looks into it.
fn mark(path: &Path) {
    let record = serde_json::json!({ "format": crate::constants::PREFIX_FORMAT, "lago": "0.0.0" });
    crate::utils::write_json(&Paths::new(path).record(), &record).unwrap();
}

fn workdir_with(names: &[&str]) -> (tempfile::TempDir, Workdir) {
    let dir = tempfile::tempdir().unwrap();
    let workdir = Workdir::create(&dir.path().join("work")).unwrap();
    for name in names {
        let path = workdir.new_prefix_path(name).unwrap();
        create_dir(&path).unwrap();
        mark(&path);
        workdir.add(name).unwrap();
    }
    (dir, workdir)
}

#[test]
fn the_first_prefix_is_the_current_one_until_another_is_chosen() {
    let (_dir, workdir) = workdir_with(&["b", "a"]);
    assert_eq!(workdir.list().unwrap(), ["a", "b"]);
    assert_eq!(workdir.current().unwrap(), "b");
    workdir.set_current("a").unwrap();
    assert_eq!(workdir.resolve(None).unwrap(), workdir.path().join("a"));
    let entries = fs::read_dir(workdir.path()).unwrap().count();
    assert_eq!(entries, 3, "a, b and current, and nothing temporary");
}

#[test]
fn a_prefix_that_is_not_there_is_answered_with_those_that_are() {
    let (_dir, workdir) = workdir_with(&["a", "b"]);
    let error = workdir.resolve(Some("c")).unwrap_err().to_string();
    assert!(error.ends_with("has no prefix `c`; it has a, b"), "{error}");
    assert!(workdir.set_current("c").is_err());
    assert_eq!(workdir.current().unwrap(), "a");
}

#[test]
fn an_existing_prefix_is_not_created_again() {
    let (_dir, workdir) = workdir_with(&["a"]);
    let error = workdir.new_prefix_path("a").unwrap_err().to_string();
    assert!(error.contains("exists") && error.contains("lago destroy"), "{error}");
}

#[test]
fn destroying_the_current_prefix_makes_another_one_current() {
    let (_dir, workdir) = workdir_with(&["a", "b"]);
    fs::remove_dir_all(workdir.prefix_path("a").unwrap()).unwrap();
    workdir.removed("a").unwrap();
    assert_eq!(workdir.current().unwrap(), "b");
    fs::remove_dir_all(workdir.prefix_path("b").unwrap()).unwrap();
    workdir.removed("b").unwrap();
    assert!(!workdir.path().exists(), "a workdir without prefixes goes with its last one");
}

#[test]
fn a_workdir_that_holds_something_else_stays() {
    let (_dir, workdir) = workdir_with(&["a"]);
    fs::write(workdir.path().join("notes"), "").unwrap();
    fs::remove_dir_all(workdir.prefix_path("a").unwrap()).unwrap();
    workdir.removed("a").unwrap();
    let error = workdir.current().unwrap_err().to_string();
    assert!(error.contains("no current prefix") && error.ends_with("it has none"), "{error}");
}

#[test]
fn a_dangling_current_is_said_and_can_be_mended() {
    let (_dir, workdir) = workdir_with(&["a", "b"]);
    fs::remove_dir_all(workdir.prefix_path("a").unwrap()).unwrap();
    let error = workdir.resolve(None).unwrap_err().to_string();
    assert!(error.contains("lago set-current") && error.ends_with("it has b"), "{error}");
    workdir.set_current("b").unwrap();
    assert_eq!(workdir.current().unwrap(), "b");
}

#[test]
fn it_is_found_from_below() {
    let (dir, workdir) = workdir_with(&["a"]);
    let deep = workdir.path().join("a/images/deeper");
    create_dir(&deep).unwrap();
    assert_eq!(Workdir::find_upwards(&deep).unwrap(), workdir);

    let project = dir.path().join("project");
    let hidden = Workdir::create(&project.join(DEFAULT_WORKDIR)).unwrap();
    create_dir(&project.join("src/bin")).unwrap();
    create_dir(&hidden.path().join("default")).unwrap();
    mark(&hidden.path().join("default"));
    assert_eq!(Workdir::find_upwards(&project.join("src/bin")).unwrap(), hidden);
}

#[test]
fn what_a_killed_init_left_is_found_and_destroyed() {
    let dir = tempfile::tempdir().unwrap();
    let workdir = Workdir::create(&dir.path().join("work")).unwrap();
    let half_made = workdir.new_prefix_path("default").unwrap();
    create_dir(&half_made).unwrap();
    fs::write(Paths::new(&half_made).unfinished(), "").unwrap();
    assert_eq!(Workdir::find_upwards(&half_made).unwrap(), workdir);
    assert_eq!(workdir.unfinished().unwrap(), ["default"]);
    assert!(workdir.list().unwrap().is_empty());
    workdir.clone().destroy().unwrap();
    assert!(!workdir.path().exists());
}

#[test]
fn a_prefix_beside_the_workdir_does_not_hide_it() {
    let dir = tempfile::tempdir().unwrap();
    let hidden = Workdir::create(&dir.path().join(".lago")).unwrap();
    for prefix in [hidden.path().join("default"), dir.path().join("fork")] {
        create_dir(&prefix).unwrap();
        mark(&prefix);
    }
    assert_eq!(Workdir::find_upwards(dir.path()).unwrap(), hidden);
}

#[test]
fn its_absence_is_said_with_where_the_search_began() {
    let dir = tempfile::tempdir().unwrap();
    let error = Workdir::find_upwards(dir.path()).unwrap_err().to_string();
    assert!(error.contains(dir.path().to_str().unwrap()) && error.contains("lago init"), "{error}");
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let (_dir, workdir) = workdir_with(&[]);
    for name in
        ["", ".", "..", "../x", "a/b", "/etc", "current", "-rf", ".hidden", "a\0b", "a b", "ä"]
    {
        assert!(workdir.prefix_path(name).is_err(), "{name:?}");
    }
    assert!(workdir.prefix_path(&"a".repeat(65)).is_err());
}

proptest! {
    #[test]
    fn an_accepted_name_is_one_component_inside_the_workdir(name in "\\PC{0,70}|[a-zA-Z0-9./_-]{0,70}") {
        let workdir = Workdir { path: PathBuf::from("/w") };
        if let Ok(path) = workdir.prefix_path(&name) {
            prop_assert_eq!(path.parent(), Some(Path::new("/w")));
            prop_assert_eq!(path.file_name().and_then(|n| n.to_str()), Some(name.as_str()));
        }
    }
}
