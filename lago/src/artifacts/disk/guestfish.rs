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
    Ok(paths.map(|(path, staging)| publish(staging.path(), &path.local, &said)).collect())
}

/// A directory beside the destination, as what is copied keeps the name that it has in the guest.
fn staging(wanted: &Wanted) -> Result<tempfile::TempDir> {
    let parent = wanted.local.parent().unwrap_or(Path::new("."));
    tempfile::TempDir::with_prefix_in(".lago-", parent)
        .map_err(|error| format!("{}: {error}", parent.display()))
}

/// Moves the one thing that was copied to where it belongs.
fn publish(staging: &Path, local: &Path, said: &str) -> Result<()> {
    let copied = fs::read_dir(staging).ok().and_then(|mut entries| entries.next());
    let Some(Ok(copied)) = copied else {
        let said = said.trim();
        return Err(if said.is_empty() { NOT_THERE } else { said }.to_owned());
    };
    fs::rename(copied.path(), local).map_err(|error| format!("{}: {error}", local.display()))
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

    #[test]
    fn words_are_quoted_for_guestfish() {
        assert_eq!(quoted(r#"/a b/"c"\d|!*"#).unwrap(), r#""/a b/\"c\"\\d|!*""#);
        assert!(quoted("a\nrm /").is_err());
    }
}
