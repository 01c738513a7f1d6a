//! Packages for the guests, by the command.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use lago::cmd;
use lago_test::{TestResult, ensure};
use ovirt_suite::OvirtPrefix;
use rustix::process::{Pid, Signal, kill_process};

const CONTROL: &str = "Package: engine\nVersion: 1:4.5\nArchitecture: all\n\
                       Maintainer: Test <test@example.org>\nDescription: A test\n";

fn lago_ovirt(prefix: &OvirtPrefix) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lago-ovirt"));
    command.arg("--prefix-path").arg(prefix.paths().prefix());
    command
}

/// A command that ends with its test, however that ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn build_package(dir: &Path) -> TestResult {
    let package = dir.join("package");
    fs::create_dir_all(package.join("DEBIAN"))?;
    fs::write(package.join("DEBIAN/control"), CONTROL)?;
    let built = dir.join("built");
    fs::create_dir(&built)?;
    let status = Command::new("dpkg-deb")
        .args(["--root-owner-group", "--build"])
        .args([&package, &built])
        .stdout(Stdio::null())
        .status()?;
    ensure!(status.success(), "dpkg-deb ended with {status}");
    Ok(())
}

pub(crate) fn packages_are_served_to_guests(prefix: OvirtPrefix) -> TestResult {
    let dir = tempfile::tempdir()?;
    build_package(dir.path())?;
    let nothing = lago_ovirt(&prefix).arg("serve").output()?;
    let said = String::from_utf8_lossy(&nothing.stderr);
    ensure!(
        nothing.status.code() == Some(1) && said.contains("`lago ovirt reposetup` makes it"),
        "{said}"
    );

    let setup = lago_ovirt(&prefix)
        .args(["reposetup", "--dist", "debian", "--deb", "--built"])
        .arg(dir.path().join("built"))
        .output()?;
    ensure!(setup.status.success(), "{}", String::from_utf8_lossy(&setup.stderr));

    let mut serving = Running(lago_ovirt(&prefix).arg("serve").stdout(Stdio::piped()).spawn()?);
    let mut url = String::new();
    BufReader::new(serving.0.stdout.take().expect("it is a pipe")).read_line(&mut url)?;
    let index = format!("{}debian/Packages", url.trim());
    for vm in prefix.virt_env().vms() {
        let packages = vm.run(cmd!("wget", "-q", "-O", "-", &index))?.stdout().into_owned();
        ensure!(packages.contains("Version: 1:4.5"), "{}: {packages}", vm.name());
    }
    kill_process(Pid::from_child(&serving.0), Signal::INT)?;
    let status = serving.0.wait()?;
    ensure!(status.success(), "serve ended with {status} after Ctrl-C");
    let gone = prefix.virt_env().vms()[0].output(&cmd!("wget", "-q", "-O", "-", &index))?;
    ensure!(!gone.success(), "it is still served");
    Ok(())
}

pub(crate) fn a_program_is_told_the_place_and_its_exit_code_counts(
    prefix: OvirtPrefix,
) -> TestResult {
    let script = "test \"$LAGO_PREFIX_PATH\" = \"$1\" && echo \"$OVIRT_REPO_URL\"; exit 7";
    let output = lago_ovirt(&prefix)
        .args(["runtest", "sh", "-c", script, "test"])
        .arg(prefix.paths().prefix())
        .output()?;
    ensure!(output.status.code() == Some(7), "it ended with {}", output.status);
    let url = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(url.starts_with("http://") && url.ends_with(":8585/\n"), "{url:?}");
    Ok(())
}

pub(crate) fn a_program_that_is_tested_with_ends_in_its_own_way(prefix: OvirtPrefix) -> TestResult {
    let script = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done";
    let mut testing = Running(
        lago_ovirt(&prefix).args(["runtest", "sh", "-c", script]).stdout(Stdio::piped()).spawn()?,
    );
    let mut said = String::new();
    BufReader::new(testing.0.stdout.take().expect("it is a pipe")).read_line(&mut said)?;
    kill_process(Pid::from_child(&testing.0), Signal::TERM)?;
    let status = testing.0.wait()?;
    ensure!(status.code() == Some(9), "it ended with {status} after {said:?}");
    Ok(())
}
