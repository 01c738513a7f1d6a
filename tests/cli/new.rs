//! A suite that `lago new` makes passes as it is, and with the next scenario that its README shows.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use lago_system_tests::{repository_manifest, run_within, store, target};

use crate::Session;

/// Compiling the library a second time, as a dependency of the new crate, and two small VMs.
const LIMIT: Duration = Duration::from_secs(600);

#[test]
fn a_new_suite_passes_and_takes_its_next_scenario() {
    let session = Session::new("cli-new");
    session.ok(&["new", "fresh-suite", "--template", "mini"]);
    let crate_path = session.path().join("fresh-suite");
    // The versions of the workspace are those that are compiled already.
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    fs::copy(workspace.join("Cargo.lock"), crate_path.join("Cargo.lock")).unwrap();
    add_the_scenario_of_the_readme(&crate_path);

    let ran = run_within(LIMIT, &mut cargo_test(&crate_path), "").ok();
    for scenario in
        ["network::client_reaches_server", "files::server_keeps_a_file", "files::server_has_room"]
    {
        let line = ran.lines().find(|line| line.contains(scenario));
        assert!(line.is_some(), "{scenario} is not in {ran}");
    }
    assert!(ran.contains("3 passed; 0 failed"), "{ran}");
    assert!(ran.contains("/fresh-suite.junit.xml"), "{ran}");
}

/// What the README says: a function, and its name in a stage.
fn add_the_scenario_of_the_readme(crate_path: &Path) {
    let readme = fs::read_to_string(crate_path.join("README.md")).unwrap();
    let code = readme.split("```rust\n").nth(1).unwrap().split("```").next().unwrap();
    let suite = crate_path.join("tests/fresh-suite.rs");
    let text = fs::read_to_string(&suite).unwrap();
    let (before, after) =
        ("scenarios![server_keeps_a_file]", "scenarios![server_keeps_a_file, server_has_room]");
    assert!(text.contains(before) && readme.contains(after));
    fs::write(&suite, text.replace(before, after) + code).unwrap();
}

fn cargo_test(crate_path: &Path) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["test", "--offline"])
        .current_dir(crate_path)
        .env("CARGO_TARGET_DIR", target())
        // As the workspace has it, so that what is compiled already serves.
        .env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only")
        .env("LAGO_TEMPLATE_REPO_PATH", repository_manifest())
        .env("LAGO_STORE", store())
        .env("LAGO_CACHE", "off")
        .env("LAGO_KEEP", "never");
    command
}

#[test]
fn mistakes_are_said_before_anything_is_made() {
    let session = Session::new("cli-new-mistakes");
    assert!(session.failed(1, &["new", "1st"]).contains("begins with a letter"));
    session.ok(&["new", "taken"]);
    assert!(session.failed(1, &["new", "taken"]).contains("exists already"));
    let error = session.failed(1, &["new", "other", "--lago-test", "taken"]);
    assert!(error.contains("is not the crate lago-test"), "{error}");
    assert!(!session.path().join("other").exists());
}
