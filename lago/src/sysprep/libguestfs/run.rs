//! Running one of libguestfs's programs (<https://libguestfs.org/guestfs.3.html>, "BACKEND" and "ENVIRONMENT VARIABLES").

use std::env;
use std::ffi::OsString;
use std::path::{self, Path};
use std::time::Duration;

use crate::host::{Acceleration, Status, libguestfs_check};
use crate::sysprep::SysprepError;
use crate::templates::ImageFormat;
use crate::utils::HostCommand;

/// What they say of every guest with systemd, which keeps its seed in another place and does without.
const NO_RANDOM_SEED: &str = "warning: random seed could not be set";

/// A program and the disk that it works on.
#[derive(Debug)]
pub(in crate::sysprep) struct Program<'a> {
    pub(in crate::sysprep) name: &'static str,
    pub(in crate::sysprep) arguments: &'a [String],
    pub(in crate::sysprep) disk: &'a Path,
    pub(in crate::sysprep) format: ImageFormat,
    /// Where it runs, and has its own files while it does.
    pub(in crate::sysprep) directory: &'a Path,
    pub(in crate::sysprep) acceleration: Acceleration,
    pub(in crate::sysprep) limit: Duration,
}

/// Fails with what is missing and how to mend it, unless the programs can be used.
pub(crate) fn require() -> Result<(), SysprepError> {
    let check = libguestfs_check();
    if check.status == Status::Ok { Ok(()) } else { Err(SysprepError::Unavailable { check }) }
}

pub(in crate::sysprep) fn run(program: &Program<'_>) -> Result<(), SysprepError> {
    let failed = |source| SysprepError::Libguestfs { disk: program.disk.to_owned(), source };
    let output = command(program).run().map_err(failed)?;
    let said = output.stderr_text();
    let worth_reading = |line: &&str| !line.trim().is_empty() && !line.contains(NO_RANDOM_SEED);
    said.lines().filter(worth_reading).for_each(|line| tracing::warn!("{line}"));
    Ok(())
}

fn command(program: &Program<'_>) -> HostCommand {
    // It runs elsewhere. Only an empty path has no absolute one.
    let disk = path::absolute(program.disk).unwrap_or_else(|_| program.disk.to_owned());
    // The kernel ends it with us, however we end, and it ends its machine.
    let command = HostCommand::new("setpriv")
        .args(["--pdeathsig", "KILL", "--", program.name])
        .args(["--quiet", "--format", program.format.as_str(), "--add"])
        .arg(disk)
        .args(program.arguments)
        .current_dir(program.directory)
        .env("LC_ALL", "C")
        // Not in /tmp, where they would stay if it is killed.
        .env("LIBGUESTFS_TMPDIR", program.directory)
        .env("TMPDIR", program.directory)
        .env("LIBGUESTFS_CACHEDIR", appliance_cache(|name| env::var_os(name)))
        // Not through whatever libvirtd runs here.
        .env("LIBGUESTFS_BACKEND", "direct")
        .limit(program.limit)
        .remedy("install it with `apt-get install util-linux` or `dnf install util-linux`");
    match program.acceleration {
        // libguestfs believes in /dev/kvm, which may be there and not work.
        Acceleration::Tcg => command.env("LIBGUESTFS_BACKEND_SETTINGS", "force_tcg"),
        Acceleration::Kvm => command,
    }
}

/// Where libguestfs keeps the system of its machine, which is the same for all: without `TMPDIR` for it alone, it would be
/// made anew each time.
fn appliance_cache(variable: impl Fn(&str) -> Option<OsString>) -> OsString {
    let set = ["LIBGUESTFS_CACHEDIR", "TMPDIR"].into_iter().find_map(variable);
    set.unwrap_or_else(|| "/var/tmp".into())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    fn shown(disk: &str, acceleration: Acceleration) -> String {
        let mut command = command(&Program {
            name: "virt-sysprep",
            arguments: &["--hostname".to_owned(), "server".to_owned()],
            disk: Path::new(disk),
            format: ImageFormat::Qcow2,
            directory: Path::new("/p/images/.lago-sysprep-x"),
            acceleration,
            limit: Duration::from_secs(1),
        });
        let command = command.command_mut();
        let text = |text: &OsStr| text.to_string_lossy().into_owned();
        let set = command
            .get_envs()
            // Depends on who runs the test.
            .filter(|(name, _)| *name != "LIBGUESTFS_CACHEDIR")
            .map(|(name, value)| format!("{}={}", text(name), value.map(text).unwrap_or_default()));
        let words = [command.get_program()].into_iter().chain(command.get_args()).map(text);
        set.chain(words).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn its_machine_is_emulated_where_guests_are() {
        let disk = "/p/images/server-root.qcow2";
        insta::assert_snapshot!(shown(disk, Acceleration::Tcg), @r"
        LC_ALL=C
        LIBGUESTFS_BACKEND=direct
        LIBGUESTFS_BACKEND_SETTINGS=force_tcg
        LIBGUESTFS_TMPDIR=/p/images/.lago-sysprep-x
        TMPDIR=/p/images/.lago-sysprep-x
        setpriv
        --pdeathsig
        KILL
        --
        virt-sysprep
        --quiet
        --format
        qcow2
        --add
        /p/images/server-root.qcow2
        --hostname
        server
        ");
        assert!(!shown(disk, Acceleration::Kvm).contains("force_tcg"));
    }

    #[test]
    fn the_system_of_its_machine_stays_where_the_user_has_it() {
        let cache = |set: &[(&str, &str)]| {
            let set = set.to_vec();
            let find = |name: &str| set.iter().find(|(key, _)| *key == name);
            appliance_cache(|name| find(name).map(|(_, value)| value.into()))
        };
        assert_eq!(cache(&[]), "/var/tmp");
        assert_eq!(cache(&[("TMPDIR", "/scratch")]), "/scratch");
        assert_eq!(cache(&[("TMPDIR", "/scratch"), ("LIBGUESTFS_CACHEDIR", "/c")]), "/c");
    }

    #[test]
    fn a_relative_path_starts_from_here_and_not_from_where_it_runs() {
        let here = std::env::current_dir().unwrap();
        let text = shown("disk.qcow2", Acceleration::Tcg);
        assert!(text.contains(&format!("\n--add\n{}/disk.qcow2\n", here.display())), "{text}");
    }
}
