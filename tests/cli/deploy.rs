//! Deploy scripts, and guests that go down or start anew by themselves.

use std::fs;

use lago_system_tests::run;

use crate::Session;

const INIT_FILE: &str = "
domains:
  web:
    memory: 128
    nics: [{net: lan}]
    disks: [{type: template, template_name: mini}]
    metadata:
      deploy-scripts: [scripts/install.sh, $LAGO_WORKDIR_PATH/../scripts/check.sh]
nets: {lan: {}}
";

#[test]
fn scripts_make_of_a_guest_what_it_is_for() {
    let session = Session::new("cli-deploy");
    let scripts = session.path().join("scripts");
    fs::create_dir(&scripts).expect("a directory can be made");
    let write = |name: &str, text: &str| fs::write(scripts.join(name), text).expect("it writes");
    write("install.sh", "#!/bin/sh -e\necho 'what it is for' > /root/purpose\n");
    write("check.sh", "grep -q purpose /root/purpose || { echo I give up; exit 7; }\n");
    fs::write(session.path().join("LagoInitFile"), INIT_FILE).expect("it writes");
    session.ok(&["init"]);
    let status = session.ok(&["-f", "json", "status"]);
    assert!(status.contains("$LAGO_PREFIX_PATH/scripts/"), "copies: {status}");
    session.ok(&["start", "--no-wait"]);

    let failed = session.failed(1, &["deploy"]);
    for part in ["check.sh", "VM web", "exit code 7", "I give up"] {
        assert!(failed.contains(part), "{part:?} is not in: {failed}");
    }
    // The first one ran; the second is made to pass, in the prefix.
    assert_eq!(session.ok(&["shell", "web", "cat /root/purpose"]), "what it is for\n");
    let copies = session.workdir().join("default/scripts");
    let check = fs::read_dir(&copies).expect("it is there").find_map(|entry| {
        let path = entry.expect("it can be read").path();
        path.to_string_lossy().ends_with("check.sh").then_some(path)
    });
    fs::write(check.expect("it is among the copies"), "true\n").expect("it writes");
    assert_eq!(run(&mut session.command(&["deploy"])).code, Some(0));

    shut_down_and_started_anew(&session);
    session.ok(&["destroy", "--yes"]);
}

fn shut_down_and_started_anew(session: &Session) {
    const BOOT: &str = "cat /proc/sys/kernel/random/boot_id";
    let before = session.ok(&["shell", "web", BOOT]);
    session.ok(&["shutdown", "--reboot"]);
    assert_ne!(session.ok(&["shell", "web", BOOT]), before);
    session.ok(&["shutdown", "web"]);
    let status = session.ok(&["-f", "flat", "status"]);
    assert!(status.contains("VMs/web/status: down\n"), "{status}");
    assert!(status.contains("Networks/lan/status: down\n"), "{status}");
    session.ok(&["shutdown"]);
}
