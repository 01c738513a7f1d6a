//! Programs on the PATH that are verbs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use lago_system_tests::run;

use crate::{Session, one_vm};

fn program(directory: &Path, name: &str, script: &str) {
    let path = directory.join(name);
    fs::create_dir_all(directory).expect("a directory can be made");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("it writes");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is ours");
}

#[test]
fn a_program_on_the_path_is_a_verb() {
    let session = Session::new("cli-plugins");
    let bin = session.path().join("bin");
    program(&bin, "lago-greet", "echo \"$#:$1:$2\"; cat; echo err >&2; exit 42");
    program(&bin, "lagocli-where", "echo \"$LAGO_PREFIX_PATH|$LAGO_WORKDIR_PATH\"");
    program(&bin, "lago-nested", "\"$LAGO_PROGRAM\" -f flat status; \"$LAGO_PROGRAM\" -P b list");
    program(&bin, "lago-status", "echo shadow");
    program(&bin, "lago-killed", "kill -TERM $$");
    fs::write(bin.join("lago-data"), "no program").expect("it writes");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let command = |args: &[&str]| -> Command {
        let mut command = session.command(args);
        command.env("PATH", &path);
        command
    };

    let ran = run(&mut command(&["greet", "--help", "a b"]));
    assert_eq!(
        (ran.code, &*ran.stdout, &*ran.stderr),
        (Some(42), "2:--help:a b\n", "err\n"),
        "{ran:?}"
    );
    assert_eq!(run(&mut command(&["killed"])).code, Some(128 + 15));
    assert_eq!(run(&mut command(&["--workdir", "none", "where"])).ok(), "|\n", "no prefix");
    let help = run(&mut command(&["--help"])).ok();
    for (verb, listed) in [("greet", true), ("where", true), ("data", false), ("shadow", false)] {
        assert_eq!(help.contains(&format!("\n  {verb} ")), listed, "{verb}: {help}");
    }
    assert!(run(&mut command(&["data"])).failed(2).contains("usage:"));

    session.ok(&["init", &one_vm()]);
    let workdir = session.workdir();
    let place = format!("{}|{}\n", workdir.join("default").display(), workdir.display());
    assert_eq!(run(&mut command(&["where"])).ok(), place);
    assert!(
        run(&mut command(&["status"])).ok().contains("UUID"),
        "a verb of lago's own is not shadowed"
    );
    let nested = run(command(&["nested"]).env("LAGO_PREFIX_NAME", "default")).ok();
    assert!(nested.contains(".lago/default\n") && nested.ends_with("default\n"), "{nested}");
}
