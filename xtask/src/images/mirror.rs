//! Where Debian's packages come from: what the host's apt uses for Debian's own packages, never its other sources.

use super::tools;
use anyhow::{Context, Result, bail};
use std::env;
use std::fs;
use std::path::Path;

/// What names the archive where the host's apt does not, and what names its security updates.
const MIRROR_VARIABLE: &str = "LAGO_IMAGES_MIRROR";
const SECURITY_MIRROR_VARIABLE: &str = "LAGO_IMAGES_SECURITY_MIRROR";

/// The options of the host's apt that reaching a mirror can depend on.
const KEPT_OPTIONS: [&str; 5] = [
    "Acquire::http::Proxy",
    "Acquire::https::Proxy",
    "Acquire::Check-Date",
    "Acquire::Check-Valid-Until",
    "Acquire::Retries",
];

/// The base addresses of the archive and of its security updates.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mirror {
    archive: String,
    security: String,
    /// Why these, for the user.
    pub(super) reason: String,
}

impl Mirror {
    /// `$LAGO_IMAGES_MIRROR` and `$LAGO_IMAGES_SECURITY_MIRROR`, else what the host's apt uses. `scratch` is a directory
    /// for apt's package lists in case that the host has none.
    pub(super) fn find(scratch: &Path) -> Result<Self> {
        let given = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let mut targets = index_targets(None)?;
        if targets.is_empty() {
            // A host whose lists were removed to save space, as container images do, still names its mirror.
            targets = index_targets(Some(scratch))?;
        }
        Self::choose(given(MIRROR_VARIABLE), given(SECURITY_MIRROR_VARIABLE), &targets)
    }

    /// From what was given and from lines `<base address>|<codename>|<origin>`.
    fn choose(archive: Option<String>, security: Option<String>, targets: &str) -> Result<Self> {
        let find = |security: bool| {
            targets.lines().find_map(|line| match line.split('|').collect::<Vec<_>>()[..] {
                [uri, codename, "Debian"] if codename.ends_with("-security") == security => {
                    Some(uri.trim_end_matches('/').to_owned())
                }
                _ => None,
            })
        };
        let reason = match archive {
            Some(_) => MIRROR_VARIABLE,
            None => "from the apt sources of this host",
        };
        match (archive.or_else(|| find(false)), security.or_else(|| find(true))) {
            (Some(archive), Some(security)) => {
                Ok(Self { archive, security, reason: reason.to_owned() })
            }
            _ => bail!(
                "the apt of this host has no sources of Debian with its security updates; \
                 name mirrors of both in {MIRROR_VARIABLE} and {SECURITY_MIRROR_VARIABLE}"
            ),
        }
    }

    /// Lines for a `sources.list` that has the suite, its updates and its security updates.
    pub(super) fn sources(&self, suite: &str) -> [String; 3] {
        const KEYRING: &str = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]";
        let Self { archive, security, .. } = self;
        [
            format!("deb {KEYRING} {archive} {suite} main"),
            format!("deb {KEYRING} {archive} {suite}-updates main"),
            format!("deb {KEYRING} {security} {suite}-security main"),
        ]
    }
}

/// What the host's apt knows about its sources. With a directory for lists, it fetches them there first.
fn index_targets(lists: Option<&Path>) -> Result<String> {
    const FORMAT: &str = "$(REPO_URI)|$(CODENAME)|$(ORIGIN)";

    let apt = || {
        let mut apt = tools::command("apt-get");
        if let Some(lists) = lists {
            apt.arg("-o").arg(format!("Dir::State::lists={}/", lists.display()));
            apt.args(["-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="]);
        }
        apt
    };
    if let Some(lists) = lists {
        fs::create_dir_all(lists.join("partial"))
            .with_context(|| format!("making {}", lists.display()))?;
        // A source that cannot be reached is not fatal here: it may be one that is of no interest.
        apt().args(["-qq", "update"]).output().context("running apt-get update")?;
    }
    let output = apt()
        .args(["indextargets", "--format", FORMAT, "Created-By: Packages"])
        .output()
        .context("running apt-get indextargets")?;
    if !output.status.success() {
        bail!("apt-get indextargets failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The host's apt options that are worth keeping, in the syntax of `apt.conf`.
pub(super) fn apt_options() -> Result<Vec<String>> {
    let output = tools::command("apt-config").arg("dump").output().context("running apt-config")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let kept = text
        .lines()
        .filter(|line| KEPT_OPTIONS.iter().any(|option| line.split(' ').next() == Some(option)));
    Ok(kept.map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_of_the_host_is_used_and_other_origins_are_not() {
        let mirror = Mirror::choose(
            None,
            None,
            "http://packages.example/node|nodistro|. nodistro\n\
             http://mirror.example/debian/|trixie|Debian\n\
             http://mirror.example/security/|trixie-security|Debian",
        )
        .unwrap();
        assert_eq!(mirror.archive, "http://mirror.example/debian");
        assert_eq!(mirror.security, "http://mirror.example/security");
    }

    #[test]
    fn a_host_that_is_not_debian_has_to_be_told() {
        let targets = "http://archive.example/ubuntu|noble|Ubuntu";
        let error = Mirror::choose(None, None, targets).unwrap_err().to_string();
        assert!(error.contains(MIRROR_VARIABLE), "{error}");
        let given = |name: &str| Some(format!("http://mirror.example/{name}"));
        let mirror = Mirror::choose(given("debian"), given("security"), targets).unwrap();
        assert_eq!(mirror.archive, "http://mirror.example/debian");
    }
}
