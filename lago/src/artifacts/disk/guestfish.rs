//! Any file system, through libguestfs (<https://libguestfs.org/guestfish.1.html>).

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::Result;
use super::server::Server;
use crate::artifacts::{NOT_THERE, Wanted};
use crate::host::Acceleration;
use crate::utils::{Deadline, HostCommand, error_chain};
use crate::virt::Vm;

/// Copies each path out of the guest's system, as libguestfs finds it on the disks and mounts it.
pub(super) fn copy(
    vm: &Vm,
    servers: &[Server],
    wanted: &[Wanted],
    deadline: &Deadline,
) -> Result<Vec<Result<()>>> {
    let staging = wanted.iter().map(staging).collect::<Result<Vec<_>>>()?;
    let mut script = String::new();
    for (path, staging) in wanted.iter().zip(&staging) {
        // A line that begins with a dash may fail; the others go on.
        let (from, to) = (quoted(&path.guest)?, quoted(&staging.path().to_string_lossy())?);
        // Writing to a string does not fail.
        let _ = writeln!(script, "-copy-out {from} {to}");
    }
    let mut command = HostCommand::new("guestfish")
        .args(["--ro", "--inspector", "--format=raw"])
        .env("LIBGUESTFS_BACKEND", "direct")
        .stdin(script)
        .limit(deadline.remaining())
        .remedy("install it with `apt-get install guestfish` or `dnf install guestfs-tools`");
    if vm.acceleration() == Acceleration::Tcg {
        command = command.env("LIBGUESTFS_BACKEND_SETTINGS", "force_tcg");
    }
    for server in servers {
        command = command.arg("--add").arg(format!("nbd:///?socket={}", server.socket().display()));
    }
    let output = command.run().map_err(|error| error_chain(&error))?;
    let said = output.stderr_text();
    let paths = wanted.iter().zip(&staging);
    Ok(paths.map(|(path, staging)| publish(staging.path(), path, &said)).collect())
}

/// A directory beside the destination, as what is copied keeps the name that it has in the guest.
fn staging(wanted: &Wanted) -> Result<tempfile::TempDir> {
    let parent = wanted.local.parent().unwrap_or(Path::new("."));
    tempfile::TempDir::with_prefix_in(".lago-", parent)
        .map_err(|error| format!("{}: {error}", parent.display()))
}

/// Moves the one thing that was copied to where it belongs.
fn publish(staging: &Path, wanted: &Wanted, said: &str) -> Result<()> {
    let local = &wanted.local;
    match fs::read_dir(staging).ok().and_then(|mut entries| entries.next()) {
        Some(Ok(copied)) => fs::rename(copied.path(), local)
            .map_err(|error| format!("{}: {error}", local.display())),
        _ => Err(why_not(&wanted.guest, said)),
    }
}

/// What libguestfs said of a path that was not copied.
fn why_not(guest: &str, said: &str) -> String {
    let named = format!("\u{2018}{guest}\u{2019}");
    match said.lines().find(|line| line.contains(&named)) {
        Some(line) if line.ends_with("is not a file or directory") => NOT_THERE.to_owned(),
        Some(line) => line.to_owned(),
        None if said.trim().is_empty() => NOT_THERE.to_owned(),
        None => said.trim().to_owned(),
    }
}

/// A word of guestfish's, which knows escapes between double quotes. What needs one that it does not know is refused.
fn quoted(word: &str) -> Result<String> {
    if word.chars().any(char::is_control) {
        return Err(format!("{word:?} has a control character, which guestfish does not take"));
    }
    Ok(format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As libguestfs 1.48 says it.
    #[test]
    fn each_path_has_its_own_reason() {
        let said = "*stdin*:3: libguestfs: error: \u{2018}/no/such\u{2019} is not a file or directory\n\
                    *stdin*:4: libguestfs: error: tar_out: \u{2018}/var/log\u{2019}: no space left\n";
        assert_eq!(why_not("/no/such", said), NOT_THERE);
        assert!(why_not("/var/log", said).ends_with("no space left"));
        assert_eq!(why_not("/etc", said), said.trim());
        assert_eq!(why_not("/etc", "\n"), NOT_THERE);
    }

    #[test]
    fn words_are_quoted_for_guestfish() {
        assert_eq!(quoted(r#"/a b/"c"\d|!*"#).unwrap(), r#""/a b/\"c\"\\d|!*""#);
        assert!(quoted("a\nrm /").is_err());
    }
}
