//! The programs that building images needs, and how they are run.

use anyhow::{Context, Result, bail};
use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file of the host that a build needs, and the packages that bring it.
pub(crate) struct Tool {
    /// The name of a program, or an absolute path.
    pub(crate) file: &'static str,
    /// Its package in Debian and Ubuntu.
    pub(crate) apt: &'static str,
    /// Its package in Fedora and EL.
    pub(crate) dnf: &'static str,
}

const fn tool(file: &'static str, apt: &'static str, dnf: &'static str) -> Tool {
    Tool { file, apt, dnf }
}

/// All that building images needs from the host.
pub(crate) const TOOLS: &[Tool] = &[
    tool("apt-get", "apt", "apt"),
    tool("mmdebstrap", "mmdebstrap", "mmdebstrap"),
    tool(
        "/usr/share/keyrings/debian-archive-keyring.gpg",
        "debian-archive-keyring",
        "debian-keyring",
    ),
    tool("unshare", "util-linux", "util-linux"),
    tool("newuidmap", "uidmap", "shadow-utils"),
    tool("tar", "tar", "tar"),
    tool("cpio", "cpio", "cpio"),
    tool("sfdisk", "fdisk", "util-linux"),
    tool("mke2fs", "e2fsprogs", "e2fsprogs"),
    tool("mkfs.vfat", "dosfstools", "dosfstools"),
    tool("mcopy", "mtools", "mtools"),
    tool("syslinux", "syslinux", "syslinux"),
    tool("qemu-img", "qemu-utils", "qemu-img"),
];

/// Fails if something is missing, and names the command that installs it.
pub(super) fn check() -> Result<()> {
    let missing: Vec<_> = TOOLS.iter().filter(|tool| !exists(tool.file)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let files: Vec<_> = missing.iter().map(|tool| tool.file).collect();
    let install = if exists("dnf") {
        let packages: Vec<_> = missing.iter().map(|tool| tool.dnf).collect();
        format!("dnf install {}", packages.join(" "))
    } else {
        let packages: Vec<_> = missing.iter().map(|tool| tool.apt).collect();
        format!("apt-get install {}", packages.join(" "))
    };
    bail!("building images needs {}: run `cargo xtask setup`, or `{install}`", files.join(", "))
}

fn exists(file: &str) -> bool {
    env::split_paths(&search_path()).any(|dir| dir.join(file).exists())
}

/// Plain users of Debian do not have the directories in their PATH in which `mke2fs` and others lie.
fn search_path() -> OsString {
    let mut path = env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    path
}

/// A command with a search path that holds all tools.
pub(super) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("PATH", search_path()).env("LC_ALL", "C.UTF-8");
    command
}

/// A command that runs as root: real root, or the root of a user namespace of its own.
pub(super) fn as_root(program: &str) -> Command {
    // Our own directory in /proc belongs to the effective user.
    let is_root = fs::metadata("/proc/self").is_ok_and(|metadata| {
        use std::os::unix::fs::MetadataExt;
        metadata.uid() == 0
    });
    if is_root {
        return command(program);
    }
    let mut unshare = command("unshare");
    unshare.args(["--user", "--map-root-user", "--map-auto", "--", program]);
    unshare
}

/// Runs a command whose output goes to a log; if it fails, the log's end is part of the error.
pub(super) fn run(command: &mut Command, what: &str, log: &Path) -> Result<()> {
    const SHOWN_LINES: usize = 30;

    let file = File::create(log).with_context(|| format!("making {}", log.display()))?;
    command.stdout(file.try_clone()?).stderr(file);
    let status = command.status().with_context(|| {
        format!("{what}: cannot start {}", PathBuf::from(command.get_program()).display())
    })?;
    if status.success() {
        return Ok(());
    }
    let text = fs::read(log).with_context(|| format!("reading {}", log.display()))?;
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    let end = lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n");
    bail!("{what} failed with {status}; its last lines:\n{end}")
}
