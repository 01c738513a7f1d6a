//! What a guest says about its distribution: <https://www.freedesktop.org/software/systemd/man/os-release.html>.

use std::fmt;

/// A distribution.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct OsRelease {
    /// Its identifier, such as `debian`.
    pub id: String,
    /// Its release, such as `12`; rolling distributions have none.
    pub version_id: Option<String>,
    /// The identifiers of those that it is like, the closest first: `rhel`, `fedora`.
    pub id_like: Vec<String>,
    /// Its name for people.
    pub pretty_name: String,
}

impl OsRelease {
    /// The command that prints the file; systems that only have it in `/usr/lib` are known, too.
    pub(crate) const SCRIPT: &'static str =
        "cat /etc/os-release 2>/dev/null || cat /usr/lib/os-release";

    /// Reads the text of such a file; `None` when it names no distribution.
    pub fn parse(text: &str) -> Option<Self> {
        let mut release = Self { pretty_name: "Linux".to_owned(), ..Self::default() };
        for (name, value) in text.lines().filter_map(assignment) {
            match name {
                "ID" => release.id = value,
                "VERSION_ID" => release.version_id = Some(value),
                "ID_LIKE" => {
                    release.id_like = value.split_whitespace().map(str::to_owned).collect();
                }
                "PRETTY_NAME" => release.pretty_name = value,
                _ => {}
            }
        }
        (!release.id.is_empty()).then_some(release)
    }
}

/// `debian 12`.
impl fmt::Display for OsRelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)?;
        self.version_id.iter().try_for_each(|version| write!(f, " {version}"))
    }
}

/// A line as a shell would read it.
fn assignment(line: &str) -> Option<(&str, String)> {
    let (name, value) = line.trim().split_once('=')?;
    if name.starts_with('#') {
        return None;
    }
    Some((name, shlex::split(value)?.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_those_of_a_shell() {
        let text = "# comment\nNAME='Rocky Linux'\nID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n\
                    VERSION_ID=\"9.4\"\nPRETTY_NAME=\"Rocky Linux 9.4 \\\"Blue\\\"\"\nbroken\n";
        let release = OsRelease::parse(text).unwrap();
        assert_eq!(release.to_string(), "rocky 9.4");
        assert_eq!(release.id_like, ["rhel", "centos", "fedora"]);
        assert_eq!(release.pretty_name, "Rocky Linux 9.4 \"Blue\"");
    }

    #[test]
    fn a_rolling_distribution_has_no_release() {
        assert_eq!(OsRelease::parse("ID=arch\n").unwrap().to_string(), "arch");
        assert_eq!(OsRelease::parse("PRETTY_NAME=x\n"), None);
    }
}
