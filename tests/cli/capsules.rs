//! Capsules by the command, of a prefix that is down.

use std::fs;

use lago_system_tests::run;

use crate::{Session, one_vm};

#[test]
fn a_prefix_that_is_down_goes_into_a_file_and_comes_out_of_it() {
    let session = Session::new("cli-capsules");
    session.ok(&["init", &one_vm()]);
    let said = run(&mut session.command(&["capsule", "save", "x.lago-capsule"])).stderr;
    assert!(said.contains("/x.lago-capsule in "), "{said}");
    assert!(said.contains("it has the keys of the VMs"), "{said}");
    let message = session.failed(1, &["capsule", "save", "x.lago-capsule"]);
    assert_eq!(message, "error: x.lago-capsule exists; remove it, or choose another file\n");
    // A directory gets a file of the default name.
    session.ok(&["capsule", "save", ".", "--reason", "it was asked for", "--with-templates"]);
    let named = fs::read_dir(session.path()).expect("it can be read").find_map(|entry| {
        let name = entry.expect("it can be read").file_name().into_string().expect("it is text");
        name.starts_with("default-").then_some(name)
    });
    let named = named.expect("there is one");
    assert!(named.ends_with("Z.lago-capsule"), "{named}");
    told(&session, &named);
    opened(&session, &named);
    for args in
        [&["capsule"][..], &["capsule", "open"], &["capsule", "open", "x", "--run", "--no-memory"]]
    {
        assert!(session.failed(2, args).contains("usage:"), "{args:?}");
    }
    session.ok(&["destroy", "--all-prefixes", "--yes"]);
    assert!(!session.workdir().exists());
}

fn told(session: &Session, file: &str) {
    let told = session.ok(&["-f", "flat", "capsule", "info", file]);
    for line in [
        "Capsule/reason: it was asked for",
        "Capsule/memory: False",
        "Capsule/VMs/vm0/status: down",
        "Capsule/VMs/vm0/ip: 192.168.90.2",
    ] {
        assert!(told.lines().any(|told| told == line), "{line:?} is not in: {told}");
    }
    let template = told.lines().find(|line| line.contains("templates/fixtures:mini:"));
    assert!(template.is_some_and(|line| line.contains("/digest: ")), "{told}");
    assert!(told.contains("/packed: True"), "{told}");
    let message = session.failed(1, &["capsule", "info", ".lago/default/prefix.json"]);
    assert!(message.contains("prefix.json is no capsule"), "{message}");
}

/// Each has a name of its own, after the file's; the workdir's current prefix stays what it was.
fn opened(session: &Session, file: &str) {
    let name = file.trim_end_matches(".lago-capsule");
    let said = run(&mut session.command(&["capsule", "open", file])).stderr;
    assert!(said.contains("why it was saved: it was asked for"), "{said}");
    assert!(said.contains(&format!("`lago -P {name} start` boots them")), "{said}");
    session.ok(&["capsule", "open", file]);
    session.ok(&["-P", "third", "capsule", "open", file]);
    let message = session.failed(1, &["-P", "third", "capsule", "open", file]);
    assert!(message.contains("third is a prefix already"), "{message}");
    let elsewhere = run(&mut session.command(&["capsule", "open", file, "elsewhere"])).stderr;
    let path = session.path().join("elsewhere");
    assert!(elsewhere.contains(&format!("lago --prefix {} start", path.display())), "{elsewhere}");
    let listed = session.ok(&["-f", "flat", "list", "--details"]);
    for line in ["Prefixes/current: default".to_owned(), format!("Prefixes/all: {name}-2")] {
        assert!(listed.lines().any(|listed| listed == line), "{line:?} is not in: {listed}");
    }
    let status = session.ok(&["-P", "third", "-f", "flat", "status", "--details"]);
    assert!(status.contains("\nSnapshot: capsule\n"), "{status}");
    assert!(status.contains("\nVMs/vm0/status: down\n"), "{status}");
    session.ok(&["--prefix", "elsewhere", "destroy", "--yes"]);
}
