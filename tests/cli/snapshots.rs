//! Snapshots, reverts and forks by the command.

use lago_system_tests::run;

use crate::{Session, one_vm};

/// A prefix that is down has all of it but the memory, and boots nothing.
#[test]
fn without_a_running_vm() {
    let session = Session::new("cli-snapshots");
    session.ok(&["init", &one_vm()]);
    assert_eq!(session.ok(&["-f", "flat", "snapshot"]), "Snapshots/current: None\n");
    mistakes(&session);

    let said = run(&mut session.command(&["snapshot", "new"])).stderr;
    assert!(said.contains("snapshot `new` taken in") && !said.contains("stood still"), "{said}");
    session.ok(&["snapshot", "second"]);
    session.ok(&["revert", "new"]);
    for format in ["default", "json", "yaml", "flat"] {
        let listed = redacted(&session.ok(&["-f", format, "snapshot"]));
        insta::assert_snapshot!(format!("snapshots_{format}"), listed);
    }
    snapshots_of_each_vm(&session);
    let message = session.failed(1, &["snapshot", "new"]);
    assert!(message.contains("there is a snapshot `new` already"), "{message}");
    let message = session.failed(1, &["revert", "nwe"]);
    assert_eq!(message, "error: there is no snapshot `nwe`; there are new, second\n");

    forks(&session);
    session.ok(&["snapshot", "--delete", "new"]);
    let status = session.ok(&["-f", "flat", "snapshot"]);
    assert!(
        status.contains("Snapshots/current: None\n") && !status.contains("all/new"),
        "{status}"
    );
    let listed = session.ok(&["-f", "flat", "snapshot", "-l"]);
    assert!(listed.contains("vm0/second/dev: vda\n") && !listed.contains("vm0/new"), "{listed}");
    session.ok(&["destroy", "--all-prefixes", "--yes"]);
    assert!(!session.workdir().exists());
}

/// As Lago lists them, the keys in its order; what the template says of itself is not this test's.
fn snapshots_of_each_vm(session: &Session) {
    let listed = session.ok(&["-f", "json", "snapshot", "--list"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("it is JSON");
    for (name, file) in [("new", "images/vm0_root.qcow2"), ("second", "layers/1/vm0/vda.qcow2")] {
        let [disk] = &listed["vm0"][name].as_array().expect("a list of disks")[..] else {
            panic!("not one disk, without the seed: {listed:#}");
        };
        let disk = disk.as_object().expect("a disk");
        let keys: Vec<_> = disk.keys().map(String::as_str).collect();
        assert_eq!(keys, ["dev", "format", "metadata", "name", "path", "template_name", "type"]);
        let path = session.workdir().join("default").join(file);
        assert_eq!(disk["path"], path.to_string_lossy().into_owned());
        assert!(path.is_file());
        assert_eq!((&disk["dev"], &disk["template_name"]), (&"vda".into(), &"mini".into()));
        assert_eq!(disk["metadata"]["distro"], "mini");
    }
}

fn mistakes(session: &Session) {
    let message = session.failed(1, &["snapshot", "--live", "x"]);
    assert!(message.starts_with("error: a live snapshot is one of running VMs"), "{message}");
    let message = session.failed(1, &["snapshot", "a/b"]);
    assert!(message.starts_with("error: `a/b` cannot be the name of a snapshot: "), "{message}");
    for verb in [&["revert", "new"][..], &["fork", "new"], &["snapshot", "-d", "new"]] {
        let message = session.failed(1, verb);
        assert_eq!(message, "error: there is no snapshot `new`; there is none at all yet\n");
    }
    assert_eq!(
        session.ok(&["-f", "flat", "list", "--details"]),
        "Prefixes/current: default\nPrefixes/all: default\n"
    );
    for args in
        [&["revert"][..], &["fork"], &["snapshot", "--live"], &["snapshot", "x", "--delete", "y"]]
    {
        assert!(session.failed(2, args).contains("usage:"), "{args:?}");
    }
}

/// Forks in the workdir have a name there; a prefix goes after its forks.
fn forks(session: &Session) {
    let said = run(&mut session.command(&["fork", "new"])).stderr;
    assert!(said.contains("`lago -P default-new-1 shell vm0`"), "{said}");
    session.ok(&["fork", "new"]);
    session.ok(&["-P", "default-new-2", "fork", "new"]);
    let path = session.path().join("elsewhere");
    let said = run(&mut session.command(&["fork", "second", "elsewhere"])).stderr;
    assert!(said.contains(&format!("lago --prefix {} shell", path.display())), "{said}");

    let listed = session.ok(&["-f", "flat", "list"]);
    assert!(listed.contains("default-new-1") && listed.contains("default-new-2-new-1"), "{listed}");
    let status = session.redacted(&session.ok(&[
        "-P",
        "default-new-1",
        "-f",
        "flat",
        "status",
        "--details",
    ]));
    assert!(status.contains("\nSnapshot: new\n"), "{status}");
    assert!(status.contains("\nFork of/prefix: [DIR]/.lago/default\n"), "{status}");
    assert!(status.contains("\nFork of/snapshot: new\n"), "{status}");

    let message = session.failed(1, &["snapshot", "-d", "new"]);
    assert!(message.contains("in use by the fork"), "{message}");
    let message = session.failed(1, &["destroy", "--yes"]);
    assert!(message.contains("in use by the fork"), "{message}");
    session.ok(&["--prefix", "elsewhere", "destroy", "--yes"]);
    session.ok(&["-P", "default-new-2-new-1", "destroy", "--yes"]);
    session.ok(&["-P", "default-new-2", "destroy", "--yes"]);
    session.ok(&["-P", "default-new-1", "destroy", "--yes"]);
    // What is left for the workdir to remove: a fork, and what it stands on.
    session.ok(&["fork", "second"]);
}

/// On the two VMs of the test of all verbs.
pub(crate) fn of_running_vms(session: &Session) {
    session.ok(&["shell", "server", "-c", "echo kept > /dev/shm/mark"]);
    let said = run(&mut session.command(&["snapshot", "marked"])).stderr;
    for part in ["snapshot `marked` taken in", "the VMs stood still for", "MB for memory"] {
        assert!(said.contains(part), "{part:?} is not in: {said}");
    }
    session.ok(&["shell", "server", "-c", "rm /dev/shm/mark; date -s @1500000000"]);
    let said = run(&mut session.command(&["revert", "marked"])).stderr;
    assert!(said.contains("back at snapshot `marked` after"), "{said}");
    assert_eq!(session.ok(&["shell", "server", "-c", "cat /dev/shm/mark"]), "kept\n");
    let status = session.ok(&["-f", "flat", "status"]);
    assert!(status.contains("VMs/server/snapshots: marked\n"), "{status}");
    let listed = session.ok(&["-f", "json", "snapshot"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("it is JSON");
    let marked = &listed["Snapshots"]["all"]["marked"];
    assert_eq!((&marked["kind"], &marked["VMs"]["client"]), (&"memory".into(), &"running".into()));
    assert!(marked["pause_ms"].as_u64() > Some(0), "{marked}");
    assert!(marked["memory_mb"].as_f64() > Some(1.0), "{marked}");

    session.ok(&["fork", "marked"]);
    let fork = ["-P", "default-marked-1", "shell", "server", "-c"];
    let in_fork = |script| session.ok(&[&fork[..], &[script]].concat());
    assert_eq!(in_fork("cat /dev/shm/mark; echo changed > /dev/shm/mark"), "kept\n");
    assert_eq!(session.ok(&["shell", "server", "-c", "cat /dev/shm/mark"]), "kept\n");
    session.ok(&["-P", "default-marked-1", "destroy", "--yes"]);
    session.ok(&["snapshot", "-d", "marked"]);
}

/// What differs from run to run is replaced: when, how long, how large.
fn redacted(listed: &str) -> String {
    let keys = ["created", "took_ms", "disks_mb"];
    let redact = |line: &str| {
        let Some((key, value)) = line.split_once(": ") else { return format!("{line}\n") };
        let name = key.trim().trim_matches('"');
        if !keys.iter().any(|key| name == *key || name.ends_with(&format!("/{key}"))) {
            return format!("{line}\n");
        }
        format!("{key}: [...]{}\n", if value.ends_with(',') { "," } else { "" })
    };
    listed.lines().map(redact).collect()
}
