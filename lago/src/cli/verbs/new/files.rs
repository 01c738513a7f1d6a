//! The files of a new suite, and what is filled in.

/// A file of a new suite; path and content have places to fill in, as `{{name}}`.
pub(super) struct NewFile {
    pub(super) path: &'static str,
    pub(super) content: &'static str,
}

macro_rules! new_file {
    ($path:literal from $source:literal) => {
        NewFile { path: $path, content: include_str!(concat!("../../../../new-suite/", $source)) }
    };
}

pub(super) const FILES: [NewFile; 9] = [
    new_file!("Cargo.toml" from "Cargo.toml.in"),
    new_file!("LagoInitFile.yaml" from "LagoInitFile.yaml.in"),
    new_file!("tests/{{name}}.rs" from "tests/suite.rs.in"),
    new_file!("README.md" from "README.md.in"),
    new_file!(".gitignore" from "gitignore.in"),
    new_file!(".config/nextest.toml" from "nextest.toml.in"),
    new_file!("Jenkinsfile" from "ci/Jenkinsfile.in"),
    new_file!(".gitlab-ci.yml" from "ci/gitlab-ci.yml.in"),
    new_file!(".github/workflows/system-tests.yml" from "ci/github.yml.in"),
];

/// What a Debian machine needs to build and run a suite.
pub(super) const DEBIAN_PACKAGES: [&str; 12] = [
    "gcc",
    "pkg-config",
    "libvirt-dev",
    "libssl-dev",
    "qemu-system-x86",
    "qemu-utils",
    "libvirt-daemon",
    "libvirt-daemon-system",
    "dnsmasq-base",
    "iptables",
    "iproute2",
    "uidmap",
];

/// What is filled in.
pub(super) struct Values<'a> {
    pub(super) name: &'a str,
    pub(super) template: &'a str,
    /// The dependency on lago-test, as `Cargo.toml` has it.
    pub(super) lago_test: &'a str,
    /// Of each VM, in MiB.
    pub(super) memory: u32,
}

impl Values<'_> {
    pub(super) fn fill(&self, text: &str) -> String {
        text.replace("{{name}}", self.name)
            .replace("{{template}}", self.template)
            .replace("{{lago_test}}", self.lago_test)
            .replace("{{memory}}", &self.memory.to_string())
            .replace("{{packages}}", &DEBIAN_PACKAGES.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn values() -> Values<'static> {
        Values { name: "web", template: "mini", lago_test: "\"0.1\"", memory: 192 }
    }

    #[test]
    fn nothing_is_left_to_fill_in() {
        for file in FILES {
            let text = values().fill(file.path) + &values().fill(file.content);
            // GitHub's own expressions begin with a dollar sign.
            assert!(!text.replace("${{", "").contains("{{"), "{}", file.path);
        }
    }

    #[test]
    fn what_ci_services_read_is_yaml() {
        for file in
            FILES.iter().filter(|file| Path::new(file.path).extension() == Some("yml".as_ref()))
        {
            let text = values().fill(file.content);
            let parsed: Result<serde_json::Value, _> = serde_saphyr::from_str(&text);
            assert!(
                parsed.as_ref().is_ok_and(serde_json::Value::is_object),
                "{}: {parsed:?}",
                file.path
            );
        }
    }

    #[test]
    fn the_init_file_is_a_right_one() {
        let file = FILES.iter().find(|file| file.path == "LagoInitFile.yaml").unwrap();
        let text = values().fill(file.content);
        let init_file = crate::InitFile::parse(&text, Path::new(file.path)).unwrap();
        assert_eq!(init_file.domains.len(), 2);
    }
}
