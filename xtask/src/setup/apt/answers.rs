//! What `dpkg-query` and `apt-cache` say, in the C locale.

use std::collections::BTreeMap;

/// The versions of installed packages, from lines of `name TAB status TAB version`.
pub(super) fn installed(text: &str) -> BTreeMap<String, String> {
    let fields = text.lines().filter_map(|line| {
        let mut fields = line.split('\t');
        Some((fields.next()?, fields.next()?, fields.next()?))
    });
    // A package that was removed but not purged is known, with the status "config-files".
    fields
        .filter(|(_, status, _)| *status == "installed")
        .map(|(name, _, version)| (name.to_owned(), version.to_owned()))
        .collect()
}

/// The version that apt would install of each package, from `apt-cache policy`; a package without one is left out.
pub(super) fn candidates(text: &str) -> BTreeMap<String, String> {
    let mut candidates = BTreeMap::new();
    let mut package = None;
    for line in text.lines() {
        if let Some(name) = line.strip_suffix(':').filter(|name| !name.starts_with(' ')) {
            package = Some(name);
        } else if let (Some(name), Some(version)) = (package, line.strip_prefix("  Candidate: "))
            && version != "(none)"
        {
            candidates.insert(name.to_owned(), version.to_owned());
        }
    }
    candidates
}

/// The versions that the archives offer, from `apt-cache madison`: `name | version | source`.
pub(super) fn versions(text: &str) -> Vec<String> {
    let version = |line: &str| Some(line.split('|').nth(1)?.trim().to_owned());
    text.lines().filter_map(version).collect()
}

/// Whether apt gave up because another one holds a lock.
pub(super) fn met_a_lock(stderr: &str) -> bool {
    stderr.contains("Could not get lock") || stderr.contains("Unable to lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_installed_packages_count() {
        let text = "gcc\tinstalled\t4:12.2.0-3\n\
                    passt\tconfig-files\t0.0~git20230309.7c7625d-1\n\
                    uidmap\tnot-installed\t\n\
                    cpio\tinstalled\t2.13+dfsg-7.1\n";
        let installed = installed(text);
        assert_eq!(installed.keys().collect::<Vec<_>>(), ["cpio", "gcc"]);
        assert_eq!(installed["gcc"], "4:12.2.0-3");
    }

    /// Recorded on Debian 12, shortened.
    const POLICY: &str = "\
passt:
  Installed: (none)
  Candidate: 0.0~git20230309.7c7625d-1
  Version table:
     0.0~git20230309.7c7625d-1 500
        500 http://mirror.example/debian bookworm/main amd64 Packages
pkg-config-gone:
  Installed: (none)
  Candidate: (none)
  Version table:
qemu-utils:
  Installed: 1:10.0.2+ds-2+deb13u1~bpo12+1
  Candidate: 1:10.0.2+ds-2+deb13u1~bpo12+1
  Version table:
 *** 1:10.0.2+ds-2+deb13u1~bpo12+1 100
        100 /var/lib/dpkg/status
     1:7.2+dfsg-7+deb12u18+b3 500
        500 http://mirror.example/debian bookworm/main amd64 Packages
";

    #[test]
    fn a_package_without_a_candidate_is_left_out() {
        let candidates = candidates(POLICY);
        assert_eq!(candidates.keys().collect::<Vec<_>>(), ["passt", "qemu-utils"]);
        assert_eq!(candidates["qemu-utils"], "1:10.0.2+ds-2+deb13u1~bpo12+1");
    }

    #[test]
    fn versions_are_the_second_column() {
        let madison = "\
qemu-utils | 1:7.2+dfsg-7+deb12u18+b3 | http://mirror.example/debian bookworm/main amd64 Packages
qemu-utils | 1:7.2+dfsg-7+deb12u15 | http://mirror.example/debian-security bookworm-security/main amd64 Packages
";
        assert_eq!(versions(madison), ["1:7.2+dfsg-7+deb12u18+b3", "1:7.2+dfsg-7+deb12u15"]);
    }

    #[test]
    fn a_lock_is_told_from_another_failure() {
        let lock = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 4711 (apt-get)\n\
                    E: Unable to lock directory /var/lib/apt/lists/\n";
        assert!(met_a_lock(lock));
        assert!(!met_a_lock(
            "E: The repository 'http://example.org x Release' does not have a Release file.\n"
        ));
    }
}
