//! What needs no running VM.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use lago_system_tests::{lago_path, run};

use crate::{Session, one_vm};

#[test]
fn a_wrong_command_line_is_code_two_with_the_usage() {
    let session = Session::new("cli-usage");
    for args in [&["strat"][..], &["shell"], &["status", "--out-format", "xml"], &["start", "--x"]]
    {
        let message = session.failed(2, args);
        assert!(message.contains("usage: lago"), "{args:?}: {message}");
    }
    assert!(session.failed(2, &["shell"]).contains("usage: lago shell"));
    assert!(session.failed(2, &["-wrongoption"]).contains("usage: lago"));
    let message = session.failed(2, &["--workdir", "a", "--prefix-path", "b", "status"]);
    assert!(message.contains("usage: lago"), "{message}");
    let message = session.failed(2, &["strat"]);
    assert!(message.contains("no verb `strat`") && message.contains("mean `start`"), "{message}");
    // Long options may be cut short, as long as one is meant.
    assert!(session.failed(1, &["--workd", "nowhere", "status"]).contains("nowhere"));
    assert!(session.failed(2, &["init", "--template", "x"]).contains("usage: lago init"));
    assert!(session.failed(1, &["shutdown", "--re"]).contains("workdir"));
    assert!(session.failed(1, &[]).contains("usage: lago"));
}

/// Those that Lago has, and in the words of Lago.
#[test]
fn every_verb_of_lago_has_a_help_with_its_usage_under_both_names() {
    let session = Session::new("cli-lago-verbs");
    let lagocli = lago_path().with_file_name("lagocli");
    for verb in [
        "ansible_hosts",
        "cleanup",
        "collect",
        "console",
        "copy-from-vm",
        "copy-to-vm",
        "deploy",
        "destroy",
        "generate-config",
        "init",
        "list",
        "revert",
        "set-current",
        "shell",
        "shutdown",
        "snapshot",
        "start",
        "status",
        "stop",
    ] {
        let help = session.ok(&[verb, "-h"]);
        assert!(help.contains(&format!("usage: lago {verb}")), "{help}");
    }
    let said = run(Command::new(&lagocli).args(["--version"])).ok();
    assert_eq!(said, session.ok(&["--version"]));
    assert!(run(Command::new(&lagocli).arg("-h")).ok().contains("usage:"));
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
        "vnc",
        "export",
        "generate-config",
        "shutdown",
        "deploy",
        "ansible_hosts",
        "completion",
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
    let message = session.failed(1, &["--libvirt-password", "secret", "status"]);
    assert!(message.contains("authfile"), "{message}");
    let message = session.failed(1, &["init", "no-such-file.yaml"]);
    assert!(message.contains("no-such-file.yaml"), "{message}");
}

#[test]
fn a_workdir_keeps_several_prefixes() {
    let session = Session::new("cli-workdir");
    session.ok(&["init", &one_vm()]);
    session.ok(&["--prefix-name", "second", "init", &one_vm()]);
    assert_eq!(session.ok(&["list"]), "default\nsecond\n");
    assert_eq!(session.ok(&["list", ".lago"]), "default\nsecond\n");
    let message = session.failed(1, &["list", "vsm"]);
    assert!(message.contains("prefixes, vms, networks, templates"), "{message}");
    let current =
        || session.ok(&["-f", "flat", "list", "--details"]).lines().next().map(str::to_owned);
    session.ok(&["set-current", "second"]);
    assert_eq!(current().as_deref(), Some("Prefixes/current: second"));
    in_the_directory_of_a_prefix_it_is_meant(&session);
    let message = session.failed(1, &["set-current", "third"]);
    assert!(message.contains("third") && message.contains("default, second"), "{message}");
    let message = session.failed(1, &["init", &one_vm()]);
    assert!(message.contains("is a prefix already"), "{message}");

    let message = session.failed(1, &["destroy"]);
    assert!(message.contains("--yes"), "{message}");
    assert!(session.workdir().join("second").is_dir());
    session.ok(&["destroy", "--yes"]);
    assert_eq!(current().as_deref(), Some("Prefixes/current: default"));
    let link = session.path().join("link");
    std::os::unix::fs::symlink(session.workdir(), &link).expect("a link can be made");
    session.ok(&["--workdir", "link", "destroy", "--yes", "--all-prefixes"]);
    assert!(!link.is_symlink() && session.workdir().is_dir());
    let message = session.failed(1, &["destroy", "--all-prefixes"]);
    assert!(message.contains("--yes"), "{message}");
    session.ok(&["destroy", "--all-prefixes", "--yes"]);
    assert!(!session.workdir().exists());
}

fn in_the_directory_of_a_prefix_it_is_meant(session: &Session) {
    let logs = session.workdir().join("default/logs");
    let status = |args: &[&str]| {
        let mut command = session.command(args);
        run(command.current_dir(&logs).args(["-f", "flat", "status"])).ok()
    };
    assert!(status(&[]).contains(".lago/default\n"), "{}", status(&[]));
    assert!(status(&["-P", "second"]).contains(".lago/second\n"));
    assert!(status(&["--prefix-name", "current"]).contains(".lago/second\n"));
}

/// As scripts for Lago call it.
#[test]
fn init_takes_lagos_words() {
    let session = Session::new("cli-lago-init");
    let manifest = session.command(&[]);
    let manifest = manifest.get_envs().find(|(name, _)| *name == "LAGO_TEMPLATE_REPO_PATH");
    let manifest = manifest.and_then(|(_, path)| path).expect("the tests have one").to_owned();
    let manifest = manifest.to_string_lossy().into_owned();
    let mut init = session.command(&["--logdepth", "-1", "--loglevel", "warning", "init"]);
    init.args(["--template-repo-path", &*manifest, "--template-repo-name", "any"]);
    init.args(["--skip-bootstrap", "--set-current", "work", &one_vm()]);
    init.env_remove("LAGO_TEMPLATE_REPO_PATH").env("LAGO__START__WAIT_SUSPEND", "1.0");
    let ran = run(&mut init);
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""), "{ran:?}");
    let prefix = session.path().join("work/default");
    assert_eq!(
        fs::read_link(session.path().join("work/current")).unwrap().to_str(),
        Some("default")
    );
    let uuid = fs::read_to_string(prefix.join("uuid")).expect("it has one");
    assert!(uuid.len() == 32 && uuid.chars().all(|c| c.is_ascii_hexdigit()), "{uuid}");
    let key = fs::read_to_string(prefix.join("id_rsa")).expect("it has one");
    assert!(key.contains("PRIVATE KEY"), "the name that scripts know it by");

    assert!(prefix.join("initialized").is_file());
    let mut cleanup = session.command(&["--workdir", "work", "cleanup"]);
    assert!(run(&mut cleanup).stderr.contains("Stop prefix"));
    assert!(!prefix.join("initialized").exists() && prefix.join("images").is_dir());
    let message = session
        .failed(1, &["--workdir", "work", "init", "--template-repo-name", "none", &one_vm()]);
    assert!(message.contains("none"), "{message}");
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
    assert_eq!(session.ok(&["-f", "json", "list", "vms"]), "[\n    \"vm0\"\n]\n");
    assert_eq!(session.ok(&["-f", "flat", "list", "networks"]), "lan\n");
    let inventory = session.ok(&["ansible_hosts", "-k", "vm-type", "disks/0/metadata/distro"]);
    assert!(inventory.starts_with("[vm-type=default]\nvm0 ansible_host="), "{inventory}");
    assert!(inventory.contains("ProxyCommand="), "{inventory}");
    assert!(session.ok(&["list", "templates"]).contains("[mini]"));
    let message = session.failed(1, &["shell", "vm0", "-c", "true"]);
    assert!(message.contains("lago start"), "{message}");
    let message = session.failed(1, &["console", "vm0"]);
    assert!(message.contains("lago start"), "{message}");
    session.ok(&["stop"]);
    session.ok(&["shutdown"]);
    session.ok(&["deploy"]);
    session.ok(&["cleanup", "--disks"]);
    let message = session.failed(1, &["start"]);
    assert!(message.contains("was cleaned up"), "{message}");
    session.ok(&["destroy", "--yes"]);
}
