//! All of these tests once more, as a plain user.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;

use libtest_mimic::{Completion, Trial};
use nix::unistd::{Uid, User};

/// Names a user with subordinate ids, for tests that root runs.
const USER_VARIABLE: &str = "LAGO_TEST_USER";

/// One test that runs all others as the plain user. For a plain user there is none: all tests are.
pub(crate) fn trials() -> Option<Trial> {
    Uid::effective().is_root().then(|| {
        Trial::ignorable_test("all_of_it_as_a_plain_user", || match std::env::var(USER_VARIABLE) {
            Ok(name) => {
                all_of_it_as(&name);
                Ok(Completion::Completed)
            }
            Err(_) => Ok(Completion::ignored_with(format!("{USER_VARIABLE} names no plain user"))),
        })
    })
}

/// Gives the program a `/dev/net/tun` that everybody may use, as most machines have it, where such a node can be made.
const WITH_TUN: &str = "mount -t tmpfs tmpfs /dev/net && mknod -m 0666 /dev/net/tun c 10 200 || umount /dev/net; exec \"$@\"";

fn all_of_it_as(name: &str) {
    let user =
        User::from_name(name).unwrap().unwrap_or_else(|| panic!("there is no user `{name}`"));
    // A place for the user's files, and for this program, which may lie where the user cannot read it.
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    chown(home.path(), Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
    let program = home.path().join("private_host");
    copy_program(&program);

    let output = Command::new("unshare")
        .args(["--mount", "--", "sh", "-c", WITH_TUN, "sh", "setpriv"])
        .arg(format!("--reuid={}", user.uid))
        .arg(format!("--regid={}", user.gid))
        .arg("--clear-groups")
        .arg("--reset-env")
        .arg(&program)
        .env("TMPDIR", home.path())
        .current_dir(home.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "as {name}: {}\n{said}\n{errors}", output.status);
    assert!(said.contains("; 0 failed;"), "{said}");
}

/// By a program of its own: were the copy ever open for writing here, a fork in another thread could make it busy.
fn copy_program(to: &Path) {
    let from = std::env::current_exe().unwrap();
    let status =
        Command::new("install").args(["-m", "0755"]).args([from.as_path(), to]).status().unwrap();
    assert!(status.success());
}
