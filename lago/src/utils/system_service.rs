//! Services of this host, as far as it matters whether they come up with it.

use std::fs;
use std::path::Path;

use super::{CommandError, HostCommand};

/// Whether a service of this host starts with it, such as `libvirtd`: asked of systemd where that runs, and otherwise
/// found among the links of System V init and OpenRC. One that does not exist is not enabled.
///
/// # Errors
/// When systemd cannot be asked.
pub fn service_is_enabled(name: &str) -> Result<bool, CommandError> {
    // <https://www.freedesktop.org/software/systemd/man/sd_booted.html>
    if Path::new("/run/systemd/system").is_dir() {
        let asked = HostCommand::new("systemctl").args(["is-enabled", "--quiet", "--", name]);
        return Ok(asked.output()?.status.success());
    }
    Ok(is_linked(Path::new("/etc"), name))
}

/// Whether a run level starts the service: `rcN.d/SNNname` of System V init, `runlevels/LEVEL/name` of OpenRC.
fn is_linked(etc: &Path, name: &str) -> bool {
    let names_below = |dir: &Path| -> Vec<String> {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    };
    let starts = |link: &str| {
        let number = link.strip_prefix('S').and_then(|rest| rest.split_at_checked(2));
        number.is_some_and(|(digits, service)| {
            digits.bytes().all(|digit| digit.is_ascii_digit()) && service == name
        })
    };
    let system_v = ["rc2.d", "rc3.d", "rc4.d", "rc5.d"];
    let openrc = etc.join("runlevels");
    system_v.iter().any(|level| names_below(&etc.join(level)).iter().any(|link| starts(link)))
        || names_below(&openrc)
            .iter()
            .any(|level| names_below(&openrc.join(level)).iter().any(|link| link == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_either_init_enable_a_service() {
        let etc = tempfile::tempdir().unwrap();
        for file in ["rc3.d/S01libvirtd", "rc3.d/K01cron", "rc0.d/S01halt", "runlevels/boot/sshd"] {
            let path = etc.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        assert!(is_linked(etc.path(), "libvirtd"));
        assert!(is_linked(etc.path(), "sshd"));
        for name in ["cron", "halt", "virtd", "", "boot", "../boot/sshd"] {
            assert!(!is_linked(etc.path(), name), "{name}");
        }
    }

    #[test]
    fn a_service_that_does_not_exist_is_not_enabled() {
        assert!(!service_is_enabled("no-such-service-of-lagos").unwrap());
    }
}
