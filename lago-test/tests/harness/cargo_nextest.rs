//! The installed `cargo nextest`, on a package of its own whose only test program is this one.
//!
//! Nothing is built: nextest is told where the program is. The system tests use this file too.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use libtest_mimic::{Completion, Failed, Trial};
use serde_json::{Value, json};

/// Says that these tests must run: CI sets it, where a test that does not run must not look like one that passed.
const REQUIRED: &str = "LAGO_TEST_NEXTEST";

/// The package and its test program. The README's configuration names the program.
const PACKAGE: &str = "demo";
pub(crate) const PROGRAM: &str = "web";

/// A test that needs nextest. Without it, it is ignored with the reason, or fails where it is required.
pub(crate) fn trial(name: impl Into<String>, test: fn()) -> Trial {
    Trial::ignorable_test(name, move || {
        if is_installed() {
            test();
            return Ok(Completion::Completed);
        }
        let reason =
            "cargo-nextest is not installed; `cargo install --locked cargo-nextest` installs it";
        match env::var(REQUIRED).as_deref() {
            Ok("required") => Err(Failed::from(reason)),
            _ => Ok(Completion::ignored_with(reason)),
        }
    })
}

fn is_installed() -> bool {
    let mut version = Command::new("cargo");
    version.args(["nextest", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    version.status().is_ok_and(|status| status.success())
}

/// The package, in a directory of its own.
pub(crate) struct Package {
    directory: PathBuf,
}

impl Package {
    /// Makes the package, with this configuration of nextest.
    pub(crate) fn new(directory: &Path, config: &str) -> Self {
        let directory = directory.to_owned();
        for (path, text) in [
            ("Cargo.toml", manifest()),
            ("tests/web.rs", "fn main() {}\n".to_owned()),
            (".config/nextest.toml", config.to_owned()),
        ] {
            let path = directory.join(path);
            fs::create_dir_all(path.parent().expect("it has one")).expect("it can be made");
            fs::write(path, text).expect("it can be written");
        }
        let package = Self { directory };
        let metadata = package.cargo(&["metadata", "--format-version", "1", "--offline"]);
        let output = package.output(metadata);
        fs::write(package.metadata(), &output).expect("it can be written");
        let metadata: Value = serde_json::from_str(&output).expect("cargo prints JSON");
        let binaries = binaries(&metadata).to_string();
        fs::write(package.directory.join("binaries.json"), binaries).expect("it can be written");
        package
    }

    fn metadata(&self) -> PathBuf {
        self.directory.join("metadata.json")
    }

    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("cargo");
        command.args(arguments).current_dir(&self.directory).stdin(Stdio::null());
        // This may be a test that nextest runs itself.
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("NEXTEST") {
                command.env_remove(name);
            }
        }
        command
    }

    fn output(&self, mut command: Command) -> String {
        let output = command.output().expect("cargo runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?} in {}: {stderr}", self.directory.display());
        String::from_utf8(output.stdout).expect("it prints text")
    }

    /// `cargo nextest` with these arguments, about to run.
    pub(crate) fn nextest(&self, arguments: &[&str]) -> Command {
        let mut command = self.cargo(&["nextest"]);
        command
            .args(arguments)
            .arg("--cargo-metadata")
            .arg(self.metadata())
            .arg("--binaries-metadata")
            .arg(self.directory.join("binaries.json"))
            .args(["--color", "never", "--user-config-file", "none"]);
        command
    }
}

/// Where nextest finds this program, as `cargo nextest list --list-type binaries-only` would say it.
fn binaries(metadata: &Value) -> Value {
    let program = env::current_exe().expect("the program's path is known");
    let id = format!("{PACKAGE}::{PROGRAM}");
    json!({
        "rust-build-meta": {
            "target-directory": metadata["target_directory"],
            "base-output-directories": [],
            "non-test-binaries": {},
            "build-script-out-dirs": {},
            "linked-paths": [],
        },
        "rust-binaries": {
            &id: {
                "binary-id": id,
                "binary-name": PROGRAM,
                "package-id": metadata["packages"][0]["id"],
                "kind": "test",
                "binary-path": program,
                "build-platform": "target",
            },
        },
    })
}

fn manifest() -> String {
    format!(
        "[package]\nname = \"{PACKAGE}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n[[test]]\nname = \
         \"{PROGRAM}\"\nharness = false\n"
    )
}
