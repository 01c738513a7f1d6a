//! What needs no running VM.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use lago_system_tests::run;

use crate::{Session, one_vm};

#[test]
fn a_wrong_command_line_is_code_two_with_the_usage() {
    let session = Session::new("cli-usage");
    for args in [&["strat"][..], &["shell"], &["status", "--out-format", "xml"], &["start", "--x"]]
    {
        let message = session.failed(2, args);
        assert!(message.contains("Usage:") || message.contains("--help"), "{args:?}: {message}");
    }
    assert!(session.failed(2, &["shell"]).contains("Usage:"));
    assert!(
        session.failed(2, &["--workdir", "a", "--prefix-path", "b", "status"]).contains("Usage:")
    );
}

#[test]
fn the_help_names_every_verb_and_the_exit_codes() {
    let session = Session::new("cli-help");
    let help = session.ok(&["--help"]);
    for part in [
        "init",
        "start",
        "stop",
        "cleanup",
        "destroy",
        "status",
        "list",
        "set-current",
        "snapshot",
        "revert",
        "fork",
        "new",
        "suspend",
        "resume",
        "capsule",
        "shell",
        "console",
        "copy-to-vm",
        "copy-from-vm",
        "ssh-config",
        "forward",
        "generate-config",
        "doctor",
        "Exit codes: 0 done",
    ] {
        assert!(help.contains(part), "{part:?} is not in: {help}");
    }
    assert!(session.ok(&["--version"]).starts_with("lago "));
}

#[test]
fn doctor_finds_nothing_missing_on_a_machine_that_runs_these_tests() {
    let session = Session::new("cli-doctor");
    let found = session.ok(&["doctor"]);
    assert!(found.contains("ok ") && !found.contains("MISSING"), "{found}");
    let found: serde_json::Value =
        serde_json::from_str(&session.ok(&["-f", "json", "doctor"])).expect("it is JSON");
    assert!(found.as_array().is_some_and(|checks| checks.len() > 3), "{found}");
}

#[test]
fn without_a_prefix() {
    let session = Session::new("cli-nothing");
    // The directory lies in a source tree, which may have a workdir of its own above.
    let message = session.failed(1, &["--workdir", "nowhere", "status"]);
    assert!(message.starts_with("error: ") && message.contains("nowhere"), "{message}");
    let message = session.failed(1, &["--prefix-path", "nowhere", "start"]);
    assert!(message.contains("nowhere"), "{message}");
    let message = session.failed(1, &["init", "no-such-file.yaml"]);
    assert!(message.contains("no-such-file.yaml"), "{message}");
}

#[test]
fn a_workdir_keeps_several_prefixes() {
    let session = Session::new("cli-workdir");
    session.ok(&["init", &one_vm()]);
    session.ok(&["--prefix-name", "second", "init", &one_vm()]);
    insta::assert_snapshot!(session.ok(&["list"]), @r"
    [Prefixes]:
        current: default
        [all]:
            default
            second
    ");
    session.ok(&["set-current", "second"]);
    assert_eq!(
        session.ok(&["-f", "flat", "list"]).lines().next(),
        Some("Prefixes/current: second")
    );
    let message = session.failed(1, &["set-current", "third"]);
    assert!(message.contains("third") && message.contains("default, second"), "{message}");
    let message = session.failed(1, &["init", &one_vm()]);
    assert!(message.contains("is a prefix already"), "{message}");

    let message = session.failed(1, &["destroy"]);
    assert!(message.contains("--yes"), "{message}");
    assert!(session.workdir().join("second").is_dir());
    session.ok(&["destroy", "--yes"]);
    assert_eq!(
        session.ok(&["-f", "flat", "list"]).lines().next(),
        Some("Prefixes/current: default")
    );
    let message = session.failed(1, &["destroy", "--all-prefixes"]);
    assert!(message.contains("--yes"), "{message}");
    session.ok(&["destroy", "--all-prefixes", "--yes"]);
    assert!(!session.workdir().exists());
}

#[test]
fn a_generated_configuration_is_one_that_lago_takes() {
    let session = Session::new("cli-generate-config");
    let text = session.ok(&["generate-config"]);
    assert!(text.contains("\n[lago]\n") && text.contains("\naccel = auto\n"), "{text}");
    let user = session.path().join("lago");
    fs::create_dir(&user).expect("a directory can be made");
    let changed = text.replace("\nloglevel = info\n", "\nloglevel = off\n");
    fs::write(user.join("lago.conf"), changed).expect("it writes");
    let mut init = session.command(&["init", &one_vm()]);
    let quiet = run(init.env("XDG_CONFIG_HOME", session.path()));
    assert_eq!((quiet.code, &*quiet.stderr), (Some(0), ""), "{quiet:?}");
    assert!(text.lines().all(|line| line.len() < 200), "{text}");
}

#[test]
fn what_verbs_did_is_in_the_log_of_the_prefix() {
    let session = Session::new("cli-log");
    session.ok(&["init", &one_vm()]);
    session.failed(1, &["shell", "vm0", "-c", "it's down"]);
    let log = session.workdir().join("default/logs/lago.log");
    let text = fs::read_to_string(&log).expect("there is a log");
    for part in [
        &*format!(": init {}\n", one_vm()),
        "made the prefix",
        "qemu-img create",
        ": shell vm0 -c \"it's down\"\n",
        "failed: ",
    ] {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
    let mode = fs::metadata(&log).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_prefix_that_is_down() {
    let session = Session::new("cli-down");
    fs::copy(one_vm(), session.path().join("LagoInitFile.yaml")).expect("it copies");
    session.ok(&["init"]);
    assert_eq!(session.ok(&["-f", "json", "list", "vms"]), "[\n  \"vm0\"\n]\n");
    assert_eq!(session.ok(&["-f", "flat", "list", "networks"]), "0: lan\n");
    assert!(session.ok(&["list", "templates"]).contains("[mini]"));
    let message = session.failed(1, &["shell", "vm0", "-c", "true"]);
    assert!(message.contains("lago start"), "{message}");
    let message = session.failed(1, &["console", "vm0"]);
    assert!(message.contains("lago start"), "{message}");
    session.ok(&["stop"]);
    session.ok(&["cleanup"]);
    let message = session.failed(1, &["start"]);
    assert!(message.contains("was cleaned up"), "{message}");
    session.ok(&["destroy", "--yes"]);
}
