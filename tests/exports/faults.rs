//! An export is complete or not there.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use lago_system_tests::{Environment, Place, lago, lago_path, run, wait_until};

use crate::{export, files};

const INIT_FILE: &str = "
domains:
  vm0:
    memory: 128
    nics: [{net: lan}]
    disks: [{name: root, type: template, template_name: mini}]
nets: {lan: {type: nat, management: true}}
";

#[test]
fn a_full_disk_leaves_nothing() {
    let place = Place::new("exports-full");
    let prefix = Environment::from_text(&place.join("prefix"), INIT_FILE);
    let small = place.join("small");
    fs::create_dir(&small).unwrap();
    // In a mount namespace of its own, in which plain users may mount too.
    let script = "mount -t tmpfs -o size=2m none $1 || exit 100
        $2 -p $3 export --standalone --dst-dir $1; code=$?
        ls -A $1; exit $code";
    let settings = lago(Vec::<&str>::new());
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]);
    command.arg(&small).arg(lago_path()).arg(prefix.paths().prefix());
    command.envs(settings.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ran = run(&mut command);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.stderr.contains("cannot export disk root of VM vm0"), "{}", ran.stderr);
    assert!(ran.stderr.contains("No space left"), "{}", ran.stderr);
}

#[test]
fn what_a_killed_export_left_goes_with_the_next() {
    let place = Place::new("exports-killed");
    let prefix = Environment::from_text(&place.join("prefix"), INIT_FILE);
    let directory = place.join("exported");
    let path = prefix.paths().prefix().to_string_lossy().into_owned();
    let to = directory.to_string_lossy().into_owned();
    let mut killed =
        lago(["-p", &path, "export", "--standalone", "--compress", "-d", &to]).spawn().unwrap();
    wait_until("the export to begin", || {
        directory.is_dir() && files(&directory).iter().any(|name| name.starts_with(".lago-export-"))
    });
    thread::sleep(Duration::from_millis(100));
    killed.kill().unwrap();
    killed.wait().unwrap();
    let left = files(&directory);
    assert!(left.iter().all(|name| name.starts_with('.')), "{left:?}");

    export(&prefix, &["-d", &to]).ok();
    let names = files(&directory);
    let wanted =
        ["LagoInitFile", "vm0_root.qcow2", "vm0_root.qcow2.hash", "vm0_root.qcow2.metadata"];
    assert_eq!(names, wanted);
}
