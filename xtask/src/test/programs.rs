//! The test programs of the workspace, as cargo builds and starts them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::{command, workspace};

/// The programs that have virtual machines under way all the time; those of a whole package by its name alone.
const WITH_VMS: [&str; 5] = [
    "lago-system-tests",
    "lago-demo",
    "ovirt-engine-simulator::machines",
    "ovirt-suite::basic",
    "ovirt-suite::machines",
];

/// Of those packages, what has none, or few that keep one processor busy at most: one waits half a minute for a libvirt that hangs.
const LIGHT: [&str; 4] = [
    "lago-system-tests",
    "lago-system-tests::exports",
    "lago-system-tests::libvirtd",
    "lago-system-tests::networks",
];

/// A program that runs tests.
#[derive(Debug, PartialEq)]
pub(super) struct Program {
    /// Its package and its target, as nextest names it: `lago::ssh`, and `lago` for the unit tests of the library.
    pub(super) name: String,
    /// How cargo is told to run it alone.
    pub(super) again: String,
    kind: Kind,
}

#[derive(Debug, PartialEq)]
enum Kind {
    Built { executable: PathBuf, manifest: PathBuf, package: String },
    DocTests,
}

impl Program {
    /// Those in the documentation of all libraries: rustdoc compiles and runs them.
    pub(super) fn doc_tests() -> Self {
        Self {
            name: "doc tests".into(),
            again: "cargo test --workspace --doc".into(),
            kind: Kind::DocTests,
        }
    }

    /// Whether it keeps virtual machines busy.
    pub(super) fn has_vms(&self) -> bool {
        let package = self.name.split("::").next().unwrap_or_default();
        let is_listed = WITH_VMS.contains(&&*self.name) || WITH_VMS.contains(&package);
        is_listed && !LIGHT.contains(&&*self.name)
    }

    /// Starts it as `cargo test` does: in the directory of its package, and with what cargo tells of that.
    pub(super) fn command(&self) -> Command {
        match &self.kind {
            Kind::DocTests => {
                workspace::cargo(["test", "--workspace", "--doc", "--no-fail-fast", "--"])
            }
            Kind::Built { executable, manifest, package } => {
                let mut command = Command::new(executable);
                let directory = manifest.parent().unwrap_or(manifest);
                command.current_dir(directory).env("CARGO_MANIFEST_DIR", directory);
                command.env("CARGO_PKG_NAME", package);
                command
            }
        }
    }
}

/// What cargo said while it built the tests.
pub(super) struct Build {
    messages: String,
}

/// One of cargo's messages: <https://doc.rust-lang.org/cargo/reference/external-tools.html>.
#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Message {
    CompilerArtifact(Artifact),
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Artifact {
    manifest_path: PathBuf,
    target: Target,
    executable: Option<PathBuf>,
    profile: Profile,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

impl Build {
    /// Builds all tests of the workspace, and the programs that they use.
    pub(super) fn of_all_tests() -> Result<Self> {
        let mut cargo = workspace::cargo([
            "test",
            "--workspace",
            "--no-run",
            "--message-format",
            "json-render-diagnostics",
        ]);
        let shown = command::shown(&cargo);
        println!("$ {shown}");
        let output = cargo.stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            bail!("`{shown}` ended with {}", output.status);
        }
        Ok(Self { messages: String::from_utf8(output.stdout)? })
    }

    /// The programs, in the order of their names.
    pub(super) fn programs(&self) -> Result<Vec<Program>> {
        let mut programs = Vec::new();
        for line in self.messages.lines().filter(|line| line.starts_with('{')) {
            let message = serde_json::from_str(line)
                .with_context(|| format!("cargo said what is no message of it: {line}"))?;
            if let Message::CompilerArtifact(artifact) = message {
                programs.extend(artifact.program()?);
            }
        }
        programs.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(programs)
    }
}

impl Artifact {
    /// The program, if it is one and has tests.
    fn program(self) -> Result<Option<Program>> {
        let (Some(executable), true) = (self.executable, self.profile.test) else {
            return Ok(None);
        };
        let package = package_of(&self.manifest_path)?;
        let target = &self.target.name;
        let kind = self.target.kind.first().map_or("", String::as_str);
        let (name, flags) = match kind {
            "test" | "bench" | "example" => {
                (format!("{package}::{target}"), format!("--{kind} {target}"))
            }
            "bin" => (format!("{package}::bin/{target}"), format!("--bin {target}")),
            _ => (package.clone(), "--lib".to_owned()),
        };
        let again = format!("cargo test --package {package} {flags}");
        let kind = Kind::Built { executable, manifest: self.manifest_path, package };
        Ok(Some(Program { name, again, kind }))
    }
}

/// The name of the package with this manifest. Cargo's messages have it only in an identifier of no fixed form.
fn package_of(manifest: &Path) -> Result<String> {
    let text = std::fs::read_to_string(manifest)
        .with_context(|| format!("cannot read {}", manifest.display()))?;
    let name = text.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    name.map(str::to_owned).with_context(|| format!("no name in {}", manifest.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(name: &str) -> Program {
        Program { name: name.into(), ..Program::doc_tests() }
    }

    #[test]
    fn programs_with_tests_are_found_among_cargos_messages() {
        let manifest = workspace::root().join("xtask/Cargo.toml");
        let artifact = |kind: &str, name: &str, test: bool| {
            format!(
                r#"{{"reason":"compiler-artifact","manifest_path":{manifest:?},"target":{{"name":"{name}",
                "kind":["{kind}"]}},"profile":{{"test":{test}}},"executable":"/target/{name}"}}"#
            )
            .replace('\n', "")
        };
        let messages = [
            artifact("bin", "xtask", false),
            artifact("test", "whole", true),
            artifact("bin", "xtask", true),
            artifact("lib", "xtask", true),
            r#"{"reason":"build-script-executed","package_id":"x"}"#.into(),
            r#"{"reason":"build-finished","success":true}"#.into(),
        ];
        let programs = Build { messages: messages.join("\n") }.programs().unwrap();
        let found: Vec<_> = programs.iter().map(|p| (&*p.name, &*p.again)).collect();
        assert_eq!(
            found,
            [
                ("xtask", "cargo test --package xtask --lib"),
                ("xtask::bin/xtask", "cargo test --package xtask --bin xtask"),
                ("xtask::whole", "cargo test --package xtask --test whole"),
            ]
        );
        let command = programs[2].command();
        assert_eq!(command.get_program(), "/target/whole");
        assert_eq!(command.get_current_dir(), manifest.parent());
    }

    #[test]
    fn programs_with_virtual_machines_are_told_from_the_others() {
        let with = ["lago-system-tests::vms", "ovirt-suite::basic", "lago-demo::demo"];
        assert!(with.iter().all(|name| program(name).has_vms()));
        let without = ["lago", "lago::ssh", "ovirt-suite", "ovirt-suite::repos", "doc tests"];
        assert!(!without.iter().chain(&LIGHT).any(|name| program(name).has_vms()));
    }
}
