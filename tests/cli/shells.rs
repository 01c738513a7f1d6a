//! What shells and readers of manuals get of the command.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use lago_system_tests::{lago_path, run};

use crate::{Session, two_vms};

/// What bash offers for the last of these words.
fn completed(session: &Session, script: &Path, words: &[&str]) -> Vec<String> {
    const ASK: &str = r#"
        source "$1"; shift
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_TYPE=9
        _clap_complete_lago lago "${COMP_WORDS[COMP_CWORD]}" x
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", ASK, "bash"]).arg(script).args(words);
    bash.current_dir(session.path()).stdin(Stdio::null());
    run(&mut bash).ok().lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_verbs_options_and_names() {
    let session = Session::new("cli-completion");
    session.ok(&["init", &two_vms()]);
    session.ok(&["snapshot", "clean"]);
    let script = session.path().join("completion");
    fs::write(&script, session.ok(&["completion", "bash"])).expect("it writes");
    let completed = |words: &[&str]| completed(&session, &script, words);
    assert_eq!(completed(&["lago", "sta"]), ["start", "status"]);
    assert_eq!(completed(&["lago", "init", "--skip-boo"]), ["--skip-bootstrap"]);
    assert_eq!(completed(&["lago", "shell", "cl"]), ["client"]);
    assert_eq!(completed(&["lago", "stop", "server", "cl"]), ["client"]);
    assert_eq!(completed(&["lago", "revert", "cl"]), ["clean"]);
    assert_eq!(completed(&["lago", "set-current", "d"]), ["default"]);
    assert_eq!(completed(&["lago", "-f", "j"]), ["json"]);
    for shell in ["zsh", "fish"] {
        let script = session.ok(&["completion", shell]);
        let program = lago_path().to_string_lossy().into_owned();
        assert!(script.contains("lagocli") && script.contains(&program), "{script}");
    }
}

#[test]
fn every_verb_has_a_manual_page() {
    let session = Session::new("cli-man");
    session.ok(&["generate-man", "man1"]);
    let directory = session.path().join("man1");
    for (page, part) in [
        ("lago.1", "several virtual machines"),
        ("lago-start.1", "Power VMs on"),
        ("lago-template-repo-add.1", "Add a repository"),
    ] {
        let path = directory.join(page);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{page}: {error}"));
        assert!(text.starts_with(".ie") || text.contains("\n.TH "), "{page}: {text}");
        assert!(text.contains(part), "{page}: {text}");
        // What groff has to say of a page goes to standard error.
        let mut groff = Command::new("groff");
        let read = run(groff
            .args(["-man", "-Tutf8", "-ww", "-P-c", "-P-b", "-P-u"])
            .arg(&path)
            .stdin(Stdio::null()));
        assert_eq!((read.code, &*read.stderr), (Some(0), ""), "{page}");
        assert!(read.stdout.contains("SYNOPSIS"), "{page}");
    }
    assert!(!directory.join("lago-connect.1").exists(), "a hidden verb has none");
}
