//! Running programs of the host.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use self::pump::{Ended, pump};
use super::Deadline;

mod pump;

/// How long a program of the host may run unless its caller says otherwise.
///
/// What lago runs without a limit of its own (`qemu-img create`, `ip`, `tar` of a log) takes well under a second; a
/// minute is for a machine that swaps.
pub const COMMAND_LIMIT: Duration = Duration::from_secs(60);

/// How much of a failed program's error output its error repeats; the end says why it failed.
const TAIL_LINES: usize = 20;

/// What a program wrote and how it ended.
#[doc(alias = "CommandStatus")]
#[derive(Debug, Clone)]
pub struct CommandOutput {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its error output.
    pub stderr: Vec<u8>,
}

impl CommandOutput {
    /// The standard output as text; what is not UTF-8 is replaced.
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// The error output as text; what is not UTF-8 is replaced.
    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

/// A program of the host that could not be run, or failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It is not installed.
    #[error("cannot run `{command}`: {program} is not installed; {remedy}")]
    Missing {
        /// The program.
        program: String,
        /// The whole command line.
        command: String,
        /// How to install it.
        remedy: String,
    },
    /// It could not be started, or its pipes failed.
    #[error("cannot run `{command}`")]
    Io {
        /// The whole command line.
        command: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It ended with something else than success.
    #[error("`{command}` failed with {status}{}", said(stderr))]
    Failed {
        /// The whole command line.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of its error output.
        stderr: String,
    },
    /// It ran longer than its limit and was killed, with all processes of its group.
    #[error("`{command}` did not end within {limit:?} and was killed{}", said(stderr))]
    TimedOut {
        /// The whole command line.
        command: String,
        /// The limit.
        limit: Duration,
        /// The end of its error output.
        stderr: String,
    },
}

/// A program of the host, its arguments and its limit. No shell is involved.
///
/// ```
/// # use lago::utils::HostCommand;
/// let output = HostCommand::new("sort").stdin("b\na\n").run().unwrap();
/// assert_eq!(output.stdout_text(), "a\nb\n");
/// ```
#[derive(Debug)]
#[doc(alias = "run_command")]
pub struct HostCommand {
    command: Command,
    input: Option<Vec<u8>>,
    limit: Duration,
    remedy: Option<String>,
}

impl HostCommand {
    /// The program `program`, looked up on the `PATH`, without arguments.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self { command: Command::new(program), input: None, limit: COMMAND_LIMIT, remedy: None }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Adds arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it in the directory `dir`.
    pub fn current_dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// What it reads on its standard input; nothing otherwise.
    pub fn stdin(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = Some(input.into());
        self
    }

    /// How long it may run, instead of [`COMMAND_LIMIT`].
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// What to do when the program is not installed: "install the package passt".
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// The command behind it, for what has no method here, such as running it inside a private host.
    pub fn command_mut(&mut self) -> &mut Command {
        &mut self.command
    }

    /// Runs it and requires success.
    ///
    /// # Errors
    /// When it cannot be run, passes its limit, or ends with something else than 0.
    pub fn run(self) -> Result<CommandOutput, CommandError> {
        let command = command_line(&self.command);
        let output = self.output()?;
        if output.status.success() {
            return Ok(output);
        }
        Err(CommandError::Failed { command, status: output.status, stderr: tail(&output.stderr) })
    }

    /// Runs it to its end, whatever that is.
    ///
    /// # Errors
    /// When it cannot be run or passes its limit.
    pub fn output(mut self) -> Result<CommandOutput, CommandError> {
        let line = command_line(&self.command);
        tracing::debug!(command = line, "running");
        let stdin = if self.input.is_some() { Stdio::piped() } else { Stdio::null() };
        // A group of its own, so that the limit also ends the processes that it has started.
        self.command.process_group(0);
        self.command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = self.command.spawn().map_err(|source| self.spawn_error(&line, source))?;
        let deadline = Deadline::new(line.clone(), self.limit);
        match pump(child, self.input.unwrap_or_default(), &deadline) {
            Ok(Ended::Itself(output)) => {
                tracing::debug!(command = line, status = %output.status, elapsed = ?deadline.elapsed(), "ended");
                Ok(output)
            }
            Ok(Ended::Killed { stderr }) => {
                let stderr = tail(&stderr);
                Err(CommandError::TimedOut { command: line, limit: self.limit, stderr })
            }
            Err(source) => Err(CommandError::Io { command: line, source }),
        }
    }

    fn spawn_error(&self, line: &str, source: io::Error) -> CommandError {
        let command = line.to_owned();
        let no_dir = self.command.get_current_dir().is_some_and(|dir| !dir.is_dir());
        let missing = match source.kind() {
            io::ErrorKind::NotFound => !no_dir,
            // Also the answer when a directory of the PATH, such as root's, may not be searched.
            io::ErrorKind::PermissionDenied => !self.is_found(),
            _ => false,
        };
        if !missing {
            return CommandError::Io { command, source };
        }
        let program = self.command.get_program().to_string_lossy().into_owned();
        let remedy = self.remedy.clone().unwrap_or_else(|| package_of(&program));
        CommandError::Missing { program, command, remedy }
    }

    /// Whether the program is somewhere where this user can see it.
    fn is_found(&self) -> bool {
        let program = Path::new(self.command.get_program());
        if program.components().count() > 1 {
            return program.exists();
        }
        let own = self.command.get_envs().find(|(name, _)| *name == "PATH");
        let path = own.map_or_else(|| env::var_os("PATH"), |(_, value)| value.map(OsString::from));
        path.is_some_and(|path| env::split_paths(&path).any(|dir| dir.join(program).exists()))
    }
}

fn package_of(program: &str) -> String {
    let (debian, fedora) = match program {
        "qemu-img" => ("qemu-utils", "qemu-img"),
        "qemu-system-x86_64" => ("qemu-system-x86", "qemu-system-x86-core"),
        "ip" | "bridge" => ("iproute2", "iproute"),
        "tc" => ("iproute2", "iproute-tc"),
        "nft" => ("nftables", "nftables"),
        "pasta" => ("passt", "passt"),
        "virsh" => ("libvirt-clients", "libvirt-client"),
        "libvirtd" => ("libvirt-daemon-system", "libvirt-daemon"),
        "dnsmasq" => ("dnsmasq-base", "dnsmasq"),
        "newuidmap" | "newgidmap" => ("uidmap", "shadow-utils"),
        "unshare" | "nsenter" => ("util-linux", "util-linux"),
        "ssh" => ("openssh-client", "openssh-clients"),
        "virt-sysprep" | "virt-customize" => ("libguestfs-tools", "guestfs-tools"),
        _ => return "install it, or put it on the PATH".to_owned(),
    };
    format!("install it with `apt-get install {debian}` or `dnf install {fedora}`")
}

fn command_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" "))
}

fn tail(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

fn said(stderr: &str) -> String {
    let mut text = String::new();
    match stderr.lines().count() {
        0 => text.push_str("; it wrote nothing to its error output"),
        1 => write!(text, ": {stderr}").unwrap_or_default(),
        _ => write!(text, "; its error output ends with\n  {}", stderr.replace('\n', "\n  "))
            .unwrap_or_default(),
    }
    text
}

#[cfg(test)]
mod tests;
