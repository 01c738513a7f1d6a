//! Small packages.

use std::fs;
use std::path::Path;
use std::process::Command;

/// An RPM of this epoch and version in a directory.
pub(crate) fn rpm(dir: &Path, name: &str, epoch: u32, version: &str) {
    let top = tempfile::tempdir().unwrap();
    let spec = top.path().join("package.spec");
    let text = format!(
        "Name: {name}\nEpoch: {epoch}\nVersion: {version}\nRelease: 1\nSummary: A test\nLicense: MIT\n\
         BuildArch: noarch\n%description\nA test.\n%files\n"
    );
    fs::write(&spec, text).unwrap();
    let define = |name: &str, path: &Path| format!("{name} {}", path.display());
    run(Command::new("rpmbuild")
        .args(["--quiet", "-bb", "--define", &define("_topdir", top.path())])
        .args([
            "--define",
            &define("_rpmdir", dir),
            "--define",
            "_rpmfilename %{NAME}-%{VERSION}.rpm",
        ])
        .arg(&spec));
}

/// A Debian package of this version in a directory.
pub(crate) fn deb(dir: &Path, name: &str, version: &str) {
    let top = tempfile::tempdir().unwrap();
    fs::create_dir(top.path().join("DEBIAN")).unwrap();
    let control = format!(
        "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: Test <test@example.org>\n\
         Description: A test\n"
    );
    fs::write(top.path().join("DEBIAN/control"), control).unwrap();
    run(Command::new("dpkg-deb").args(["--root-owner-group", "--build"]).arg(top.path()).arg(dir));
}

pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}: {said}", output.status);
    String::from_utf8(output.stdout).unwrap()
}
