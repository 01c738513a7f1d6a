//! All verbs on two VMs, in the order in which one would use them.

use std::fs;
use std::process::Command;

use lago_system_tests::{DEFAULT_LIMIT, run, run_within};

use crate::{Session, two_vms};

#[test]
fn the_life_of_a_prefix() {
    let session = Session::new("cli-verbs");
    session.ok(&["init", &two_vms()]);
    statuses(&session, "down");
    session.ok(&["start"]);
    statuses(&session, "up");
    shells(&session);
    copies(&session);
    ssh_config(&session);
    an_unknown_vm(&session);
    crate::snapshots::of_running_vms(&session);

    session.ok(&["stop", "client"]);
    let status = session.ok(&["-f", "flat", "status"]);
    assert!(
        status.contains("VMs/client/status: down") && status.contains("VMs/server/status: running")
    );
    session.ok(&["stop", "server"]);
    let status = session.ok(&["-f", "flat", "status"]);
    assert!(status.contains("Networks/lan/status: down"), "nothing runs on it: {status}");
    session.ok(&["stop"]);
    let status = session.ok(&["-f", "flat", "status"]);
    assert!(
        !status.contains("running") && status.contains("Networks/lan/status: down"),
        "{status}"
    );
    session.ok(&["cleanup"]);
    assert!(session.workdir().join("default/images").is_dir());
    session.ok(&["cleanup", "--disks"]);
    assert!(session.workdir().join("default/logs/console/server.log").is_file());
    assert!(!session.workdir().join("default/images").exists());
    session.ok(&["destroy", "--yes"]);
    assert!(!session.workdir().exists());
}

fn statuses(session: &Session, when: &str) {
    let details = session.redacted(&session.ok(&["status", "--details"]));
    insta::assert_snapshot!(format!("details_{when}"), details);
    for format in ["default", "json", "yaml", "flat"] {
        let status = session.redacted(&session.ok(&["--out-format", format, "status"]));
        insta::assert_snapshot!(format!("status_{when}_{format}"), status);
    }
}

fn shells(session: &Session) {
    assert_eq!(
        session.ok(&["shell", "client", "-c", "hostname; echo \"$0\" | wc -l"]),
        "client\n1\n"
    );
    let mut fails = session.command(&["shell", "client", "-c", "echo out; echo err >&2; exit 42"]);
    let ran = run(&mut fails);
    assert_eq!((ran.code, &*ran.stdout, &*ran.stderr), (Some(42), "out\n", "err\n"), "{ran:?}");
    session.failed(128 + 15, &["shell", "client", "-c", "kill -TERM $$"]);

    let mut with_input = session.command(&["shell", "client", "-c", "tr a-z A-Z"]);
    assert_eq!(run_within(DEFAULT_LIMIT, &mut with_input, "loud\n").ok(), "LOUD\n");
    assert_eq!(session.ok(&["shell", "client", "hostname; echo $0 | wc -l"]), "client\n1\n");
    assert_eq!(session.ok(&["shell", "ient", "echo", "a  b", "*"]), "a  b *\n", "by its end");
    fs::write(session.path().join("a-script"), "#!/bin/sh\nhostname\necho err >&2\nexit 3\n")
        .expect("it writes");
    let ran = run(&mut session.command(&["shell", "server", "a-script"]));
    assert_eq!((ran.code, &*ran.stdout, &*ran.stderr), (Some(3), "server\n", "err\n"), "{ran:?}");
    let mut script = session.command(&["shell", "server"]);
    assert_eq!(run_within(DEFAULT_LIMIT, &mut script, "hostname\nexit 0\n").ok(), "server\n");
}

fn copies(session: &Session) {
    let tree = session.path().join("tree");
    fs::create_dir_all(tree.join("deep")).expect("a directory can be made");
    fs::write(tree.join("deep/file"), "content").expect("it writes");
    session.ok(&["copy-to-vm", "server", "tree", "/root/tree"]);
    assert_eq!(session.ok(&["shell", "server", "-c", "cat /root/tree/deep/file"]), "content");
    session.ok(&["copy-from-vm", "server", "/root/tree", "back"]);
    let back = fs::read_to_string(session.path().join("back/deep/file")).expect("it is there");
    assert_eq!(back, "content");
    session.ok(&["copy-from-vm", "server", "/etc/hostname"]);
    let hostname = fs::read_to_string(session.path().join("hostname")).expect("it is there");
    assert_eq!(hostname, "server\n");
    let message = session.failed(1, &["copy-from-vm", "server", "/no/such/file", "x"]);
    assert!(message.contains("/no/such/file"), "{message}");
}

/// The file works with the ssh of the system, from outside the private host.
fn ssh_config(session: &Session) {
    let config = session.path().join("ssh_config");
    fs::write(&config, session.ok(&["ssh-config"])).expect("it writes");
    let ssh = |vm: &str, command: &str| {
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg(&config).args(["-o", "BatchMode=yes", vm, command]);
        ssh.stdin(std::process::Stdio::null());
        run(&mut ssh)
    };
    assert_eq!(ssh("server", "hostname").ok(), "server\n");
    assert_eq!(ssh("client", "hostname").ok(), "client\n");
    assert_eq!(ssh("client", "exit 7").code, Some(7));
    let one = session.ok(&["ssh-config", "client"]);
    assert!(one.contains("Host client") && !one.contains("Host server"), "{one}");
}

fn an_unknown_vm(session: &Session) {
    for args in [
        &["shell", "router", "-c", "true"][..],
        &["start", "router"],
        &["stop", "router"],
        &["copy-to-vm", "router", "a", "b"],
        &["console", "router"],
        &["ssh-config", "router"],
    ] {
        let message = session.failed(1, args);
        assert!(message.contains("router") && message.contains("server, client"), "{message}");
    }
}
